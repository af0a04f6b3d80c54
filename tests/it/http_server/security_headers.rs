//! Every response has headers that prevent browsers from executing, framing or sniffing content.

use reqwest::header::HeaderMap;
use serde_json::json;

use crate::harness::TestApp;
use crate::top_ups::Buyer;

fn assert_headers(path: &str, headers: &HeaderMap, referrer: &str) {
    let text = |name: &str| {
        let value = headers.get(name).unwrap_or_else(|| panic!("{path} has no {name}"));
        value.to_str().expect("text").to_owned()
    };
    let policy = text("content-security-policy");
    for directive in [
        "default-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(directive), "{path}: {policy}");
    }
    assert_eq!(text("x-content-type-options"), "nosniff", "{path}");
    assert_eq!(text("x-frame-options"), "DENY", "{path}");
    assert_eq!(text("referrer-policy"), referrer, "{path}");
}

#[tokio::test]
async fn every_response_has_them_whatever_its_type_or_status() {
    let app = TestApp::start().await;
    let link = app
        .team
        .owner
        .client
        .query("{ account { creditLogExport(format: CSV) { url } } }", json!({}))
        .await;
    let link = link
        .at("/account/creditLogExport/url")
        .as_str()
        .expect("a link")
        .to_owned();
    let link = link.strip_prefix(app.base()).expect("a link to this server");
    for path in [
        "/",
        "/health/live",
        "/health/ready",
        "/graphql?query=%7B__typename%7D",
        "/graphql?query=%7B",
        "/nowhere",
        "/exports/credit-log",
        "/exports/credit-log?token=x",
        link,
        "/simulated-gateway/authenticate/pi_1/x",
    ] {
        let response = app.anonymous().get(path).send().await.expect("a response");
        assert_headers(path, response.headers(), "no-referrer");
    }
    for path in ["/graphql", "/webhooks/stripe", "/webhooks/mail", "/health/live"] {
        let response = app.anonymous().post(path).body("x").send().await.expect("a response");
        assert_headers(path, response.headers(), "no-referrer");
    }
}

#[tokio::test]
async fn pages_have_them_too_and_send_their_own_origin_along_with_their_form() {
    let app = TestApp::start().await;
    let waiting = Buyer::of(&app).buy_with("card_authenticate", "12").await;
    let page = waiting["failure"]["actionUrl"].as_str().expect("a page");
    let path = page.strip_prefix(app.base()).expect("a page of this server");
    let shown = app.anonymous().get(path).send().await.expect("a response");
    assert_headers(path, shown.headers(), "same-origin");
    assert_eq!(shown.headers()["content-type"], "text/html; charset=utf-8");
    assert_eq!(shown.headers()["cache-control"], "no-store");
    let done = app.anonymous().post(&format!("{path}?confirm=false"));
    let done = done.send().await.expect("a response");
    assert_eq!(done.headers()["content-type"], "text/html; charset=utf-8");
    assert_headers(path, done.headers(), "same-origin");
}
