//! Notifications of members: settings, contacts, alerts and deliveries.

mod address_mail;
mod addresses;
mod alerts;
mod backlog;
mod broken_endpoints;
mod buying;
mod contacts;
mod defaults;
mod holding;
mod inbox;
mod mail;
mod neutral;
mod plans;
mod purchases;
mod reports;
mod settings;
pub(crate) mod smtp;
mod storm;
mod strangers;
mod time;
mod truth;
mod unsubscribing;
mod vouching;

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Client, Person, Team, TestApp, code, with};

/// Changes the team's balance by an amount, a second later, and raises the alerts.
async fn adjust(app: &TestApp, amount: &str) {
    app.advance(Duration::from_secs(1));
    let key = format!("adjust {}", uuid::Uuid::new_v4());
    let input = json!({ "accountId": app.team.id(), "amount": amount, "description": "Test", "idempotencyKey": key });
    app.platform.accept("adjust_credits", input).await;
    app.evaluate().await;
}

/// Changes the given settings of a member.
pub(crate) async fn set(person: &Person, input: Value) {
    let payload = person.client.mutate("updateNotificationSettings", "", input).await;
    assert_eq!(code(&payload), "accepted", "{payload}");
}

/// Verifies the address of the member.
pub(crate) async fn verify(app: &TestApp, person: &Person) {
    let contacts = &app.services().contacts;
    let system = &ledgerbell::primitives::actor::Actor::System;
    let sent = contacts
        .start_verification(system, app.team.account.id, person.member.id)
        .await;
    let input = json!({ "code": sent.expect("a code").code });
    assert_eq!(
        code(&person.client.mutate("verifyContact", "", input).await),
        "accepted"
    );
}

/// Returns a member's inbox, newest first, and the number of unread alerts.
async fn inbox(client: &Client) -> (Vec<Value>, Value) {
    let query =
        "{ account { alerts(first: 100) { unreadCount nodes { id kind severity title body raisedAt resolvedAt readAt
        archivedAt action { label nextStep url } session { title } topUp { status } } } } }";
    let answer = client.query(query, json!({})).await;
    let nodes = answer.at("/account/alerts/nodes").as_array().expect("a list").clone();
    (nodes, answer.at("/account/alerts/unreadCount").clone())
}

/// Returns the kinds of the alerts in a member's inbox, newest first.
async fn kinds(person: &Person) -> Vec<String> {
    let kinds = inbox(&person.client).await.0.into_iter();
    kinds
        .map(|alert| alert["kind"].as_str().expect("a kind").to_owned())
        .collect()
}

/// Returns all deliveries to a member, newest first: kind, channel, status, reason.
pub(crate) async fn deliveries(app: &TestApp, person: &Person) -> Vec<Value> {
    let query = "query ($id: ID!) { node(id: $id) { ... on Member { deliveries(first: 100) { nodes { id channel status
        suppressedBecause address attempts lastError nextAttemptAt sentAt alert { id kind } recipient { name } } } } } }";
    let answer = app.platform.query(query, json!({ "id": person.id() })).await;
    answer.at("/node/deliveries/nodes").as_array().expect("a list").clone()
}

/// Returns the status and reason of the newest mail of a kind to a member.
async fn mail_of(app: &TestApp, person: &Person, kind: &str) -> (Value, Value) {
    let deliveries = deliveries(app, person).await;
    let mut found = deliveries
        .iter()
        .filter(|one| one["channel"] == "EMAIL" && one["alert"]["kind"] == kind);
    let newest = found
        .next()
        .unwrap_or_else(|| panic!("a mail of {kind} in {deliveries:?}"));
    (newest["status"].clone(), newest["suppressedBecause"].clone())
}

/// Books a session of a team's member with this name and completes it.
async fn complete(app: &TestApp, team: &Team, name: &str) {
    let booking = app.booking("3", &format!("book {name}"), 1..2);
    let book = with(
        booking,
        json!({ "accountId": team.id(), "memberId": team.member.id(), "externalId": name, "title": "Yoga <b>" }),
    );
    app.platform.accept("book_session", book).await;
    let complete = json!({ "accountId": team.id(), "externalId": name, "idempotencyKey": format!("complete {name}") });
    app.platform.accept("complete_session", complete).await;
}
