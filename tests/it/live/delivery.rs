//! What is sent, and when.

use serde_json::json;

use crate::harness::TestApp;

const ENTRIES: &str = "subscription($after: LiveCursor) { creditEntryPosted(after: $after) {
    cursor signal replayed entry { sequence amount } balance { posted version } } }";

#[tokio::test]
async fn what_is_posted_is_told_in_order() {
    let app = TestApp::start().await;
    let mut subscriber = app.subscribe(&app.team.admin.client, ENTRIES, json!({})).await;
    let caught_up = subscriber.expect("CAUGHT_UP").await;
    assert_eq!(caught_up["entry"], json!(null));
    for credits in [5, 7] {
        app.top_up(credits).await;
    }
    let first = subscriber.expect("ITEM").await;
    assert_eq!(first["entry"], json!({ "sequence": "1", "amount": "5" }));
    assert_eq!(first["replayed"], json!(false));
    let second = subscriber.expect("ITEM").await;
    assert_eq!(second["entry"], json!({ "sequence": "2", "amount": "7" }));
    assert_eq!(second["balance"]["posted"], json!("12"));
    assert!(subscriber.is_idle());
    assert_eq!(app.services().events.hub().listeners(), 1);
    drop(subscriber);
    assert_eq!(app.services().events.hub().listeners(), 0);
}
