//! The page of the simulated gateway accepts the customer who was sent to it, and no other site.

use reqwest::StatusCode;
use serde_json::json;

use crate::harness::TestApp;
use crate::top_ups::Buyer;

/// Sends the form of the page with these headers. Returns the status.
async fn post(app: &TestApp, path: &str, headers: &[(&str, &str)]) -> StatusCode {
    let mut request = app.anonymous().post(&format!("{path}?confirm=true"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("a response").status()
}

#[tokio::test]
async fn a_payment_is_confirmed_only_with_its_own_token_and_from_its_own_page() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let waiting = buyer.buy_with("card_authenticate", "35").await;
    let other = buyer.create("15", "another").await;
    app.settle().await;
    let other = buyer.top_up(&other["id"]).await;
    let path_of = |top_up: &serde_json::Value| {
        let url = top_up["failure"]["actionUrl"].as_str().expect("a page");
        url.strip_prefix(app.base()).expect("a page of this server").to_owned()
    };
    let (path, others) = (path_of(&waiting), path_of(&other));
    let (page, token) = path.rsplit_once('/').expect("a token");
    assert_eq!(token.len(), 32);
    let others_token = others.rsplit_once('/').expect("a token").1;
    assert_ne!(token, others_token);

    for guess in [
        page.to_owned(),
        format!("{page}/"),
        format!("{page}/{others_token}"),
        format!("{page}/{}", &token[..31]),
        format!("{page}/{}", token.to_uppercase() + "0"),
    ] {
        assert_eq!(post(&app, &guess, &[]).await, StatusCode::NOT_FOUND, "{guess}");
        let shown = app.anonymous().get(&guess).send().await.expect("a response");
        assert_eq!(shown.status(), StatusCode::NOT_FOUND, "{guess}");
    }
    for headers in [
        &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")][..],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
    ] {
        assert_eq!(post(&app, &path, headers).await, StatusCode::FORBIDDEN, "{headers:?}");
    }
    app.settle().await;
    assert_eq!(buyer.top_up(&waiting["id"]).await["status"], "REQUIRES_ACTION");
    assert_eq!(buyer.charges(), 0);

    let own = [("sec-fetch-site", "same-origin"), ("origin", app.base())];
    assert_eq!(post(&app, &path, &own).await, StatusCode::OK);
    app.settle().await;
    assert_eq!(buyer.top_up(&waiting["id"]).await["status"], "SUCCEEDED");
    assert_eq!(buyer.top_up(&other["id"]).await["status"], "REQUIRES_ACTION");
    assert_eq!(buyer.balance().await["posted"], json!("35"));
}
