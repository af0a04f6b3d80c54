//! The address that sends refused credentials and signatures pays for them, wherever they are sent.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;

use super::{ask, code};
use crate::harness::{Frame, Socket, TestApp};

const VIEWER: &str = "{ viewer { kind } }";
/// An allowance for two guesses, not three.
const TWO_GUESSES: [(&str, &str); 2] = [("limits.anonymous_rate", "1"), ("limits.anonymous_burst", "140")];

/// Returns how a socket is closed after this credential is sent.
async fn guess(app: &TestApp, credential: &str) -> (u16, String) {
    let mut socket = Socket::connect(app.base()).await;
    socket.init(credential).await;
    match socket.frame().await {
        Frame::Close(code, reason) => (code, reason),
        frame => panic!("closed, not {frame:?}"),
    }
}

#[tokio::test]
async fn refused_credentials_on_sockets_are_charged_to_their_address() {
    let app = TestApp::start_with(&TWO_GUESSES).await;
    assert_eq!(guess(&app, "lb_nothing_nothing").await.0, 4403);
    assert_eq!(guess(&app, "no.token.either").await.0, 4403);
    for _ in 0..3 {
        let (code, reason) = guess(&app, "lb_nothing_else").await;
        assert_eq!(code, 1013);
        assert!(reason.contains("were refused"), "{reason}");
    }
    let client = app.anonymous().with_credential("lb_nothing_nothing");
    let (status, _, body) = ask(&client, VIEWER, json!({})).await;
    assert_eq!((status, code(&body)), (StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED"));
    // A signed-in caller pays with its own allowance.
    let owner = &app.team.owner.client;
    Socket::ready(app.base(), owner.credential().expect("a token")).await;
    assert_eq!(ask(owner, VIEWER, json!({})).await.0, StatusCode::OK);
    app.advance(Duration::from_mins(1));
    assert_eq!(guess(&app, "lb_nothing_nothing").await.0, 4403);
}

#[tokio::test]
async fn refused_credentials_over_http_and_event_streams_share_that_allowance() {
    let app = TestApp::start_with(&TWO_GUESSES).await;
    let client = app.anonymous().with_credential("lb_nothing_nothing");
    assert_eq!(ask(&client, VIEWER, json!({})).await.0, StatusCode::UNAUTHORIZED);
    let stream = async || {
        let body = json!({ "query": "subscription { balanceChanged { signal } }" });
        let request = client
            .post("/graphql")
            .header("accept", "text/event-stream")
            .json(&body);
        request.send().await.expect("an answer").status()
    };
    assert_eq!(stream().await, StatusCode::UNAUTHORIZED);
    assert_eq!(stream().await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(guess(&app, "lb_nothing_nothing").await.0, 1013);
}

#[tokio::test]
async fn forged_messages_and_links_are_charged_to_their_address() {
    for path in ["/webhooks/stripe", "/exports/credit-log?token=a.b", "/webhooks/mail"] {
        let secret = ("mail.webhook_secret", "0123456789012345678901234567890123456789");
        let app = TestApp::start_with(&[TWO_GUESSES[0], TWO_GUESSES[1], secret]).await;
        let is_link = path.starts_with("/exports");
        let mut statuses = Vec::new();
        for _ in 0..3 {
            let request = if is_link {
                app.anonymous().get(path)
            } else {
                let forged = app.anonymous().post(path).header("stripe-signature", "t=1,v1=00");
                forged.header("ledgerbell-signature", "t=1,v1=00").body("{}")
            };
            statuses.push(request.send().await.expect("an answer").status().as_u16());
        }
        let refused = if is_link { 403 } else { 400 };
        assert_eq!(statuses, [refused, refused, 429], "{path}");
    }
}
