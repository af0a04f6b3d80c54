//! Alerts in the account's stream: each member receives only their own inbox, even beside members with equal rights.

use std::sync::Arc;

use ledgerbell::primitives::actor::Permission;
use serde_json::{Value, json};

use crate::harness::{Subscriber, TestApp};

/// The unread count only: nothing in it depends on a single viewer.
const BELL: &str = "subscription($topics: [LiveTopic!]) { accountUpdated(topics: $topics) { cursor signal } }";
const ALERTS: &str = "subscription($topics: [LiveTopic!]) { accountUpdated(topics: $topics) {
    cursor signal alerts { kind readAt resolvedAt } } }";

/// Returns a team of two admins with equal rights, Adam and Mia. Adam's threshold is 50 credits, Mia's is 20.
async fn with_two_admins() -> TestApp {
    let app = TestApp::start().await;
    super::promote_member(&app).await;
    let team = &app.team;
    app.top_up(100).await;
    for (person, threshold) in [(&team.admin, "50"), (&team.member, "20")] {
        let input = json!({ "lowBalanceThreshold": threshold });
        person.client.mutate("updateNotificationSettings", "", input).await;
    }
    app.evaluate().await;
    app
}

async fn spend(app: &TestApp, amount: &str) {
    let input =
        json!({ "accountId": app.team.id(), "amount": amount, "description": "Spent", "idempotencyKey": amount });
    app.platform.accept("adjust_credits", input).await;
    app.evaluate().await;
}

async fn both(app: &TestApp, document: &str, variables: Value) -> (Subscriber, Subscriber) {
    let mut adam = app.subscribe(&app.team.admin.client, document, variables.clone()).await;
    let mut mia = app.subscribe(&app.team.member.client, document, variables).await;
    adam.expect("CAUGHT_UP").await;
    mia.expect("CAUGHT_UP").await;
    (adam, mia)
}

#[tokio::test]
async fn admins_with_equal_rights_are_told_of_their_own_alerts_alone() {
    let app = Box::pin(with_two_admins()).await;
    let topics = json!({ "topics": ["ALERTS"] });
    let (mut adam, mut mia) = both(&app, BELL, topics.clone()).await;
    let (mut adams, mut mias) = both(&app, ALERTS, topics).await;
    let start = app
        .team
        .admin
        .client
        .query("{ account { liveCursor } }", json!({}))
        .await;
    let start = start.at("/account/liveCursor").clone();

    spend(&app, "-60").await;
    adam.expect("ITEM").await;
    assert_eq!(adams.expect("ITEM").await["alerts"][0]["kind"], "LOW_BALANCE");
    assert!(mia.is_idle().await && mias.is_idle().await, "40 are enough for Mia");
    spend(&app, "-25").await;
    mia.expect("ITEM").await;
    assert_eq!(mias.expect("ITEM").await["alerts"][0]["kind"], "LOW_BALANCE");
    assert!(adam.is_idle().await && adams.is_idle().await, "Adam knows");

    let events = "query($after: LiveCursor) { account { events(after: $after, topics: [ALERTS]) { events { alerts { kind } } } } }";
    for person in [&app.team.admin, &app.team.member] {
        let page = person.client.query(events, json!({ "after": start })).await;
        let told = json!([{ "alerts": [{ "kind": "LOW_BALANCE" }] }]);
        assert_eq!(page.at("/account/events/events"), &told, "by pages too");
    }
}

#[tokio::test]
async fn all_topics_tell_of_alerts_where_alerts_are_selected_and_are_shared_where_not() {
    let app = Box::pin(with_two_admins()).await;
    let (mut adam, mut mia) = both(&app, BELL, json!({})).await;
    let (mut adams, mut mias) = both(&app, ALERTS, json!({})).await;

    spend(&app, "-60").await;
    let (one, other) = (adam.next().await, mia.next().await);
    assert!(
        Arc::ptr_eq(&one.payload, &other.payload),
        "what is nobody's own is made once"
    );
    assert!(adam.is_idle().await && mia.is_idle().await);
    assert_eq!(adams.expect("ITEM").await["alerts"][0]["kind"], "LOW_BALANCE");
    assert_eq!(mias.expect("ITEM").await["alerts"], json!([]));
    assert!(mias.is_idle().await);
}

#[tokio::test]
async fn the_end_of_an_alert_and_marks_are_told_and_keys_are_told_of_all_alerts() {
    let app = Box::pin(with_two_admins()).await;
    let key = app.key(&[Permission::ReadCreditLog]).await;
    let mut keys = app.subscribe(&key, ALERTS, json!({ "topics": ["ALERTS"] })).await;
    keys.expect("CAUGHT_UP").await;
    spend(&app, "-60").await;
    assert_eq!(keys.expect("ITEM").await["alerts"][0]["kind"], "LOW_BALANCE");
    let (mut adam, mut mia) = both(&app, ALERTS, json!({ "topics": ["ALERTS"] })).await;
    let mark = "mutation($id: [ID!]) { markAlertsRead(input: { alertIds: $id }) { userErrors { code } } }";
    let inbox = app
        .team
        .admin
        .client
        .query(
            "{ account { alerts(filter: { kinds: [LOW_BALANCE] }) { nodes { id } } } }",
            json!({}),
        )
        .await;
    let id = inbox.at("/account/alerts/nodes/0/id");
    app.team.admin.client.query(mark, json!({ "id": [id] })).await.data();
    assert_eq!(adam.expect("ITEM").await["alerts"], json!([]), "a mark has no list");
    spend(&app, "60").await;
    let message = adam.expect("ITEM").await;
    let told = message["alerts"].as_array().expect("a list");
    let resolved = told
        .iter()
        .find(|alert| alert["kind"] == "LOW_BALANCE")
        .expect("the end of it");
    assert!(
        resolved["resolvedAt"].is_string() && resolved["readAt"].is_string(),
        "{told:?}"
    );
    assert!(
        mia.next().await.event["alerts"][0]["kind"] == "BALANCE_RECOVERED",
        "she never had the other"
    );
}
