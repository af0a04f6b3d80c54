//! Messages that do not arrive: retries, giving up, disabled endpoints, and sending again on request.

use std::time::Duration;

use serde_json::{Value, json};

use super::receiver::{Answer, Receiver};
use super::{about, code, collect, deliver, endpoint, entries, grant, log, start};
use crate::harness::TestApp;

/// The minutes until the next attempt of an endpoint's newest message, rounded down.
async fn minutes_until_next(app: &TestApp, id: &str) -> i64 {
    let log = log(&app.team.owner.client, id).await;
    let next = log["messages"]["nodes"][0]["nextAttemptAt"].as_str().expect("a time");
    let next: chrono::DateTime<chrono::Utc> = next.parse().expect("a time");
    (next.timestamp_millis() - app.clock.now().millis()) / 60_000
}

#[tokio::test]
async fn a_message_is_sent_again_for_days_then_given_up_and_sent_on_request() {
    let (app, receiver) = (start().await, Receiver::start().await);
    receiver.answer("/in", Answer::Status(500));
    let made = endpoint(&app, &receiver.url("/in"), &entries()).await;
    let owner = &app.team.owner.client;
    grant(&app, "one").await;
    // The pauses of Standard Webhooks, to which up to a tenth is added.
    let pauses = [0, 5, 30, 120, 300, 600, 840, 1_200, 1_440];
    for (failures, pause) in (1..).zip(pauses) {
        deliver(&app).await;
        assert_eq!(receiver.received("/in").len(), failures);
        let minutes = minutes_until_next(&app, &made.id).await;
        assert!((pause..=pause + pause / 10).contains(&minutes), "{failures}: {minutes}");
        deliver(&app).await;
        assert_eq!(receiver.received("/in").len(), failures, "not before");
        app.advance(Duration::from_mins(u64::try_from(minutes).expect("positive") + 1));
    }
    deliver(&app).await;
    let state = log(owner, &made.id).await;
    let message = state["messages"]["nodes"][0].clone();
    assert_eq!(
        (&message["status"], &message["nextAttemptAt"]),
        (&json!("FAILED"), &json!(null))
    );
    assert_eq!(message["attempts"].as_array().map(Vec::len), Some(10));
    assert!(
        message["attempts"]
            .as_array()
            .expect("a list")
            .iter()
            .all(|attempt| { attempt["statusCode"] == 500 && attempt["failure"] == "STATUS_NOT_SUCCESSFUL" })
    );
    assert_eq!(state["failingSince"], "2026-03-02T09:00:00.000Z");
    let ids: Vec<String> = receiver.received("/in").iter().map(|one| one.id().to_owned()).collect();
    assert!(
        ids.iter().all(|id| json!(id) == message["id"]),
        "each attempt has the id of the message"
    );
    receiver.answer("/in", Answer::Status(200));
    let retry = json!({ "webhookMessageId": message["id"] });
    let retried = owner
        .mutate("retryWebhookMessage", "webhookMessage { status }", retry)
        .await;
    assert_eq!(retried["webhookMessage"]["status"], "PENDING", "{retried}");
    deliver(&app).await;
    let state = log(owner, &made.id).await;
    assert_eq!(state["messages"]["nodes"][0]["status"], "DELIVERED");
    assert_eq!(state["messages"]["nodes"][0]["attempts"][10]["number"], 11);
    assert_eq!(state["failingSince"], json!(null));
}

#[tokio::test]
async fn a_receiver_may_ask_for_a_longer_pause() {
    let (app, receiver) = (start().await, Receiver::start().await);
    receiver.answer("/hour", Answer::With(429, "retry-after", "3600".to_owned()));
    receiver.answer("/year", Answer::With(503, "retry-after", "31536000".to_owned()));
    let hour = endpoint(&app, &receiver.url("/hour"), &entries()).await;
    let year = endpoint(&app, &receiver.url("/year"), &entries()).await;
    grant(&app, "one").await;
    deliver(&app).await;
    assert_eq!(minutes_until_next(&app, &hour.id).await, 60);
    assert_eq!(minutes_until_next(&app, &year.id).await, 24 * 60, "a day at most");
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_disabled_and_gets_what_it_missed_by_a_replay() {
    let (app, receiver) = (start().await, Receiver::start().await);
    receiver.answer("/in", Answer::Status(410));
    let made = endpoint(&app, &receiver.url("/in"), &entries()).await;
    let owner = &app.team.owner.client;
    let cursor = "query { account { liveCursor } }";
    let begin = owner.query(cursor, json!({})).await.at("/account/liveCursor").clone();
    grant(&app, "one").await;
    deliver(&app).await;
    let state = log(owner, &made.id).await;
    assert_eq!(
        (&state["enabled"], &state["disabledBecause"]),
        (&json!(false), &json!("GONE"))
    );
    assert_eq!(state["messages"]["nodes"][0]["status"], "FAILED");
    assert_eq!(state["messages"]["nodes"][0]["attempts"][0]["failure"], "GONE");
    let after = owner.query(cursor, json!({})).await.at("/account/liveCursor").clone();
    let events = "query ($after: LiveCursor) { account { events(after: $after) { events { account { id } } } } }";
    let events = owner.query(events, json!({ "after": begin })).await;
    let told = events.at("/account/events/events").to_string();
    assert!(told.contains(&app.team.id()), "pages of the account see it: {told}");
    grant(&app, "two").await;
    deliver(&app).await;
    assert_eq!(receiver.received("/in").len(), 1, "nothing more is sent");
    let message = state["messages"]["nodes"][0]["id"].clone();
    for (name, with) in [
        ("sendTestWebhook", json!({})),
        ("replayWebhooks", json!({ "after": after })),
    ] {
        let refused = about(owner, name, &made.id, &with).await;
        assert_eq!(code(&refused), "WEBHOOK_ENDPOINT_DISABLED", "{name}: {refused}");
    }
    let retry = json!({ "webhookMessageId": message });
    let refused = owner
        .mutate("retryWebhookMessage", "webhookMessage { id }", retry)
        .await;
    assert_eq!(code(&refused), "WEBHOOK_ENDPOINT_DISABLED");
    receiver.answer("/in", Answer::Status(204));
    app.advance(Duration::from_millis(1));
    about(owner, "updateWebhookEndpoint", &made.id, &json!({ "enabled": true })).await;
    deliver(&app).await;
    assert_eq!(
        receiver.received("/in").len(),
        1,
        "earlier events are not sent by themselves"
    );
    let replayed = about(owner, "replayWebhooks", &made.id, &json!({ "after": begin })).await;
    assert_eq!(
        (&replayed["messageCount"], &replayed["hasMore"]),
        (&json!(2), &json!(false)),
        "{replayed}"
    );
    deliver(&app).await;
    let received = receiver.received("/in");
    assert_eq!(received.len(), 3);
    assert!(
        received[1..].iter().any(|one| one.id() == received[0].id()),
        "under its id"
    );
    let refused = about(owner, "replayWebhooks", &made.id, &json!({ "after": "nonsense" })).await;
    assert_eq!(code(&refused), "VALIDATION");
    assert_eq!(refused["userErrors"][0]["field"], json!(["after"]));
}

#[tokio::test]
async fn an_endpoint_that_fails_for_five_days_is_disabled() {
    let (app, receiver) = (start().await, Receiver::start().await);
    receiver.answer("/in", Answer::Status(502));
    let made = endpoint(&app, &receiver.url("/in"), &entries()).await;
    let owner = &app.team.owner.client;
    for day in 0..5 {
        grant(&app, &format!("day {day}")).await;
        deliver(&app).await;
        assert_eq!(log(owner, &made.id).await["enabled"], true, "day {day}");
        app.advance(Duration::from_hours(24));
    }
    deliver(&app).await;
    let state = log(owner, &made.id).await;
    assert_eq!(
        (&state["enabled"], &state["disabledBecause"]),
        (&json!(false), &json!("FAILING"))
    );
    // What waits is not sent: it ends when its time comes.
    let sent = receiver.received("/in").len();
    app.advance(Duration::from_hours(48));
    deliver(&app).await;
    assert_eq!(receiver.received("/in").len(), sent);
    let state = log(owner, &made.id).await;
    let messages = state["messages"]["nodes"].as_array().expect("a list").clone();
    assert!(
        messages.iter().all(|one| one["nextAttemptAt"].is_null()),
        "{messages:?}"
    );
    assert!(messages.iter().any(|one| one["status"] == "DISCARDED"), "{messages:?}");
}

#[tokio::test]
async fn a_message_whose_sender_died_is_sent_when_its_claim_ends() {
    let (app, receiver) = (start().await, Receiver::start().await);
    let made = endpoint(&app, &receiver.url("/in"), &entries()).await;
    grant(&app, "one").await;
    collect(&app).await;
    let sending = &app.services().webhook_sending;
    let claimed = sending.claim(10, std::iter::empty()).await.expect("claims");
    assert_eq!(claimed.len(), 1);
    assert_eq!(
        log(&app.team.owner.client, &made.id).await["messages"]["nodes"][0]["status"],
        "SENDING"
    );
    deliver(&app).await;
    assert_eq!(receiver.received("/in").len(), 0, "it is claimed");
    // Its holder dies.
    drop(claimed);
    app.advance(Duration::from_mins(2));
    deliver(&app).await;
    assert_eq!(receiver.received("/in").len(), 1);
    let state = log(&app.team.owner.client, &made.id).await;
    let message = &state["messages"]["nodes"][0];
    assert_eq!(message["status"], "DELIVERED");
    assert_eq!(
        message["attempts"],
        json!([{ "number": 2, "startedAt": app.clock.now().to_string(),
        "statusCode": 204, "failure": null }])
    );
}

#[tokio::test]
async fn a_late_result_does_not_overwrite_a_newer_attempt() {
    let (app, receiver) = (start().await, Receiver::start().await);
    let made = endpoint(&app, &receiver.url("/in"), &entries()).await;
    grant(&app, "one").await;
    collect(&app).await;
    let sending = &app.services().webhook_sending;
    let slow = sending.claim(10, std::iter::empty()).await.expect("claims").remove(0);
    app.advance(Duration::from_mins(2));
    deliver(&app).await;
    receiver.answer("/in", Answer::Status(500));
    sending.attempt(slow).await.expect("recorded");
    let state = log(&app.team.owner.client, &made.id).await;
    let message = &state["messages"]["nodes"][0];
    assert_eq!(message["status"], "DELIVERED", "{message}");
    let statuses: Vec<&Value> = message["attempts"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|attempt| &attempt["statusCode"])
        .collect();
    assert_eq!(statuses, [500, 204]);
}

#[tokio::test]
async fn a_deleted_endpoint_gets_nothing_and_old_messages_are_deleted() {
    let (app, receiver) = (start().await, Receiver::start().await);
    let made = endpoint(&app, &receiver.url("/in"), &entries()).await;
    let owner = &app.team.owner.client;
    grant(&app, "one").await;
    collect(&app).await;
    let deleted = about(owner, "deleteWebhookEndpoint", &made.id, &json!({})).await;
    assert_eq!(deleted["webhookEndpoint"]["deletedAt"], "2026-03-02T09:00:00.000Z");
    deliver(&app).await;
    assert_eq!(receiver.received("/in").len(), 0);
    let listed = owner.query("{ account { webhookEndpoints { id } } }", json!({})).await;
    assert_eq!(listed.at("/account/webhookEndpoints"), &json!([]));
    let state = log(owner, &made.id).await;
    assert_eq!(state["messages"]["nodes"][0]["status"], "DISCARDED", "{state}");
    let again = about(owner, "deleteWebhookEndpoint", &made.id, &json!({})).await;
    assert_eq!(again["webhookEndpoint"], deleted["webhookEndpoint"]);
    let tidying = ledgerbell::workers::Tidying::new(app.services().clone());
    app.advance(Duration::from_hours(30 * 24));
    tidying.delete().await.expect("deletes");
    assert_eq!(
        log(owner, &made.id).await["messages"]["nodes"].as_array().map(Vec::len),
        Some(1)
    );
    app.advance(Duration::from_millis(1));
    tidying.delete().await.expect("deletes");
    assert_eq!(log(owner, &made.id).await["messages"]["nodes"], json!([]));
}
