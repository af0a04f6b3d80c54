//! The main use case through the API: credits are added, sessions use them, and the log contains everything.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{TestApp, with};

#[tokio::test]
async fn credits_come_in_are_held_are_charged_and_the_log_tells_it() {
    let app = TestApp::start().await;
    app.top_up(100).await;
    let title = json!({ "title": "Pronunciation workshop" });
    let booking = with(app.booking("12.5", "b1", 60..120), title);
    let booked = app.platform.accept("book_session", booking).await;
    assert_eq!(booked["session"]["status"], "BOOKED");
    assert_eq!(booked["session"]["held"], "12.5");
    assert_eq!(booked["balance"]["posted"], "100");
    assert_eq!(booked["balance"]["available"], "87.5");

    app.advance(Duration::from_hours(3));
    app.settle().await;
    let id = &booked["session"]["id"];
    let waiting = app.team.owner.client.run("session", json!({ "id": id })).await;
    assert_eq!(waiting.at("/node/status"), "PROCESSING");
    assert!(waiting.at("/node/deductionExpectedBy").is_string());

    let input = json!({ "accountId": app.team.id(), "sessionId": id, "credits": "10", "idempotencyKey": "c1" });
    let completed = app.platform.accept("complete_session", input.clone()).await;
    assert_eq!(completed["session"]["status"], "COMPLETED");
    assert_eq!(completed["entry"]["amount"], "-10");
    assert_eq!(completed["balance"]["available"], "90");

    let filter = json!({ "filter": { "kinds": ["SESSION"], "memberIds": [app.team.member.id()] } });
    let log = app.team.owner.client.run("credit_log", filter).await;
    let entry = log.at("/account/creditLog/nodes/0");
    assert_eq!(entry["balanceBefore"], "100");
    assert_eq!(entry["balanceAfter"], "90");
    assert_eq!(entry["member"]["name"], "Mia");
    assert_eq!(entry["session"]["title"], "Pronunciation workshop");
    assert_eq!(entry["actor"]["kind"], "API_KEY");
    let totals = json!({ "scope": "ACCOUNT", "count": "1", "added": "0", "deducted": "10", "net": "-10" });
    assert_eq!(*log.at("/account/creditLog/totals"), totals);
    app.finish().await;
}

#[tokio::test]
async fn a_refused_booking_says_what_is_missing_and_changes_nothing() {
    let app = TestApp::start().await;
    app.top_up(10).await;
    let before = app.team.owner.client.run("balance", json!({})).await;
    let (code, payload) = app
        .platform
        .refuse("book_session", app.booking("10.0001", "b1", 60..120))
        .await;
    assert_eq!(code, "INSUFFICIENT_CREDITS");
    assert_eq!(payload["userErrors"][0]["missingCredits"], "0.0001");
    assert_eq!(payload["session"], Value::Null);
    let after = app.team.owner.client.run("balance", json!({})).await;
    assert_eq!(before.body, after.body);
    // Only a success binds a key.
    app.platform
        .accept("book_session", app.booking("10", "b1", 60..120))
        .await;
}

#[tokio::test]
async fn f1_the_same_key_answers_the_same_session_and_other_input_is_refused() {
    let app = TestApp::start().await;
    app.top_up(100).await;
    let first = app
        .platform
        .accept("book_session", app.booking("5", "b1", 60..120))
        .await;
    let again = app
        .platform
        .accept("book_session", app.booking("5", "b1", 60..120))
        .await;
    assert_eq!(first["session"]["id"], again["session"]["id"]);
    assert_eq!(again["balance"]["held"], "5");
    let (code, _) = app
        .platform
        .refuse("book_session", app.booking("6", "b1", 60..120))
        .await;
    assert_eq!(code, "IDEMPOTENCY_KEY_REUSED");
}

#[tokio::test]
async fn a_forgotten_session_gives_its_credits_back_after_the_grace() {
    let app = TestApp::start().await;
    app.top_up(20).await;
    app.platform
        .accept("book_session", app.booking("20", "b1", 60..120))
        .await;
    let broke = app.team.owner.client.run("balance", json!({})).await;
    assert_eq!(
        *broke.at("/account/eligibility"),
        json!({ "canBook": false, "canJoin": true, "reason": "OUT_OF_CREDITS" })
    );
    app.advance(Duration::from_hours(2 + 72));
    app.settle().await;
    let free = app.team.owner.client.run("balance", json!({})).await;
    assert_eq!(free.at("/account/balance/available"), "20");
    assert_eq!(free.at("/account/eligibility/canBook"), true);
}

#[tokio::test]
async fn another_account_does_not_exist() {
    let app = TestApp::start().await;
    let other = app.another_team("stranger").await;
    app.top_up_of(&other, 50).await;
    let stranger = json!({ "id": other.id() });
    let seen = app.team.owner.client.run("balance", stranger.clone()).await;
    assert_eq!(*seen.at("/account"), Value::Null);
    assert_eq!(
        app.platform
            .run("balance", stranger)
            .await
            .at("/account/balance/posted"),
        "50"
    );
    let mut input = app.booking("1", "b1", 60..120);
    input["accountId"] = json!(other.id());
    let (code, _) = app.team.owner.client.refuse("book_session", input).await;
    assert_eq!(code, "NOT_FOUND");
    let nobody = app.anonymous().run("balance", json!({})).await;
    assert_eq!((nobody.status.as_u16(), nobody.error_code()), (401, "UNAUTHENTICATED"));
}
