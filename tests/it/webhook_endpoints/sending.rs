//! What arrives at an endpoint, and what the API says of it.

use std::time::Duration;

use serde_json::json;

use super::receiver::{Answer, Received, Receiver};
use super::{about, code, deliver, endpoint, entries, grant, log, made_of, start};

#[tokio::test]
async fn an_event_becomes_a_signed_message() {
    let (app, receiver) = (start().await, Receiver::start().await);
    let made = endpoint(&app, &receiver.url("/in"), &entries()).await;
    let one = grant(&app, "one").await;
    let two = grant(&app, "two").await;
    deliver(&app).await;
    let [first, second]: [Received; 2] = receiver.received("/in").try_into().expect("two messages");
    assert_eq!(first.signatures(&made.secret), (1, 1));
    assert_eq!(second.signatures(&made.secret), (1, 1));
    assert_eq!(first.header("content-type"), "application/json");
    assert_eq!(first.header("webhook-timestamp"), "1772442000");
    assert!(first.id().starts_with("msg_"));
    assert_ne!(first.id(), second.id());
    // Messages may arrive in any order.
    let mut arrived = [first, second];
    arrived.sort_by_key(|one| one.json()["data"]["previousLiveCursor"].is_string());
    let [first, second] = arrived.map(|one| one.json());
    let expected = json!({ "type": "credit_entry.posted", "timestamp": "2026-03-02T09:00:00.000Z",
        "data": { "accountId": app.team.id(), "entryId": one["entry"]["id"], "liveCursor": first["data"]["liveCursor"] } });
    assert_eq!(first, expected);
    assert_eq!(second["data"]["entryId"], two["entry"]["id"]);
    assert_eq!(second["data"]["previousLiveCursor"], first["data"]["liveCursor"]);
    // A receiver that has missed the second message finds the event behind the cursor of the first.
    let query =
        "query ($id: ID, $after: LiveCursor) { account(id: $id) { events(topics: [CREDIT_ENTRIES], after: $after) {
        events { entries { id } } } } }";
    let variables = json!({ "id": app.team.id(), "after": first["data"]["liveCursor"] });
    let answer = app.platform.query(query, variables).await;
    assert_eq!(answer.at("/account/events/events/0/entries/0/id"), &two["entry"]["id"]);
    let log = log(&app.team.admin.client, &made.id).await;
    let message = &log["messages"]["nodes"][0];
    assert_eq!(message["status"], "DELIVERED");
    assert_eq!(message["type"], "credit_entry.posted");
    assert_eq!(message["attempts"][0]["statusCode"], 204);
    assert_eq!(message["deliveredAt"], "2026-03-02T09:00:00.000Z");
}

#[tokio::test]
async fn an_endpoint_gets_its_types_from_its_creation_on_and_once() {
    let (app, receiver) = (start().await, Receiver::start().await);
    grant(&app, "before").await;
    app.advance(Duration::from_millis(1));
    endpoint(&app, &receiver.url("/entries"), &entries()).await;
    endpoint(&app, &receiver.url("/all"), &json!({})).await;
    app.advance(Duration::from_millis(1));
    grant(&app, "after").await;
    let rename = json!({ "accountId": app.team.id(), "name": "Renamed" });
    app.platform.apply("updateAccount", "account { id }", rename).await;
    // Two processes find the same events.
    let collecting = &app.services().webhook_collecting;
    let accounts = [app.team.account.id];
    let both = tokio::join!(collecting.collect(&accounts), collecting.collect(&accounts));
    assert_eq!(both, (Ok(Vec::new()), Ok(Vec::new())));
    deliver(&app).await;
    let types = |path: &str| -> Vec<String> {
        let received = receiver.received(path).into_iter();
        let mut types: Vec<String> = received
            .map(|one| one.json()["type"].as_str().expect("a type").to_owned())
            .collect();
        types.sort();
        types
    };
    assert_eq!(types("/entries"), ["credit_entry.posted"]);
    assert_eq!(types("/all"), ["account.updated", "credit_entry.posted"]);
    deliver(&app).await;
    assert_eq!(receiver.received("/all").len(), 2, "once");
}

#[tokio::test]
async fn an_endpoint_of_the_platform_gets_the_events_of_all_accounts() {
    let (app, receiver) = (start().await, Receiver::start().await);
    let other = app.another_team("other").await;
    app.advance(Duration::from_millis(1));
    let input = json!({ "url": receiver.url("/all"), "eventTypes": ["CREDIT_ENTRY_POSTED"] });
    let fields = "webhookEndpoint { id account { id } } secret";
    let made = app.platform.apply("createWebhookEndpoint", fields, input).await;
    assert_eq!(made["webhookEndpoint"]["account"], json!(null));
    let made = made_of(&made);
    grant(&app, "one").await;
    app.top_up_of(&other, 3).await;
    deliver(&app).await;
    let received = receiver.received("/all");
    let mut about: Vec<String> = received
        .iter()
        .map(|one| one.json()["data"]["accountId"].as_str().expect("an account").to_owned())
        .collect();
    about.sort();
    let mut expected = [app.team.id(), other.id()];
    expected.sort();
    assert_eq!(about, expected);
    assert!(received.iter().all(|one| one.signatures(&made.secret) == (1, 1)));
    let listed = app.platform.query("{ webhookEndpoints { id } }", json!({})).await;
    assert_eq!(listed.at("/webhookEndpoints/0/id"), &json!(made.id));
    let variables = json!({ "id": made.id, "about": other.id() });
    let log = app.platform.query(super::LOG, variables.clone()).await;
    let messages = log.at("/node/messages/nodes");
    assert_eq!(messages.as_array().map(Vec::len), Some(1), "{messages}");
    // To the team it does not exist, and neither do its messages.
    let owner = &other.owner.client;
    assert_eq!(owner.query(super::LOG, variables).await.at("/node"), &json!(null));
    let query = "query ($id: ID!) { node(id: $id) { id } }";
    let hidden = owner.query(query, json!({ "id": messages[0]["id"] })).await;
    assert_eq!(hidden.at("/node"), &json!(null));
    let retry = json!({ "webhookMessageId": messages[0]["id"] });
    let refused = owner
        .mutate("retryWebhookMessage", "webhookMessage { id }", retry)
        .await;
    assert_eq!(code(&refused), "NOT_FOUND");
    // Its test is about no account.
    let tested = super::about(&app.platform, "sendTestWebhook", &made.id, &json!({})).await;
    assert_eq!(code(&tested), "accepted", "{tested}");
    deliver(&app).await;
    let test = receiver.received("/all").pop().expect("a message");
    assert_eq!(test.json()["type"], "webhook.test");
    assert_eq!(test.json()["data"], json!({}));
}

#[tokio::test]
async fn a_test_is_sent_and_bounded() {
    let (app, receiver) = (start().await, Receiver::start().await);
    let made = endpoint(&app, &receiver.url("/in"), &entries()).await;
    let owner = &app.team.owner.client;
    let tested = about(owner, "sendTestWebhook", &made.id, &json!({})).await;
    deliver(&app).await;
    let [test]: [Received; 1] = receiver.received("/in").try_into().expect("one message");
    assert_eq!(json!(test.id()), tested["webhookMessage"]["id"]);
    assert_eq!(test.signatures(&made.secret), (1, 1));
    let expected = json!({ "type": "webhook.test", "timestamp": "2026-03-02T09:00:00.000Z",
        "data": { "accountId": app.team.id() } });
    assert_eq!(test.json(), expected);
    for _ in 1..60 {
        let tested = about(owner, "sendTestWebhook", &made.id, &json!({})).await;
        assert_eq!(code(&tested), "accepted", "{tested}");
    }
    let refused = about(owner, "sendTestWebhook", &made.id, &json!({})).await;
    assert_eq!(code(&refused), "RATE_LIMITED");
    deliver(&app).await;
    assert_eq!(receiver.received("/in").len(), 60, "a refused test is not sent");
    app.advance(Duration::from_hours(1));
    let tested = about(owner, "sendTestWebhook", &made.id, &json!({})).await;
    assert_eq!(code(&tested), "accepted", "{tested}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (app, receiver) = (start().await, Receiver::start().await);
    let target = receiver.url("/target");
    receiver.answer("/moved", Answer::With(307, "location", target));
    let made = endpoint(&app, &receiver.url("/moved"), &entries()).await;
    grant(&app, "one").await;
    deliver(&app).await;
    assert_eq!(receiver.received("/moved").len(), 1);
    assert_eq!(receiver.received("/target").len(), 0);
    let log = log(&app.team.owner.client, &made.id).await;
    let attempt = &log["messages"]["nodes"][0]["attempts"][0];
    assert_eq!(
        (&attempt["statusCode"], &attempt["failure"]),
        (&json!(307), &json!("REDIRECTED"))
    );
}

#[tokio::test]
async fn an_internal_address_is_not_called() {
    let receiver = Receiver::start().await;
    // The settings of an installation, without networks of its own.
    let app = crate::harness::TestApp::start().await;
    let owner = &app.team.owner.client;
    let input = json!({ "url": receiver.url("/in") });
    let refused = owner
        .mutate("createWebhookEndpoint", "webhookEndpoint { id }", input)
        .await;
    assert_eq!(code(&refused), "VALIDATION", "{refused}");
    assert_eq!(refused["userErrors"][0]["field"], json!(["url"]));
    // A name is accepted, and resolved when a message is sent.
    let named = receiver.url("/in").replace("127.0.0.1", "localhost");
    let made = endpoint(&app, &named, &entries()).await;
    grant(&app, "one").await;
    deliver(&app).await;
    assert_eq!(receiver.received("/in").len(), 0);
    let log = log(owner, &made.id).await;
    let message = &log["messages"]["nodes"][0];
    assert_eq!(message["status"], "PENDING");
    assert_eq!(message["attempts"][0]["failure"], "ADDRESS_NOT_ALLOWED");
    assert_eq!(message["attempts"][0]["statusCode"], json!(null));
}

#[tokio::test]
async fn a_rotated_secret_signs_beside_the_one_before_for_a_day() {
    let (app, receiver) = (start().await, Receiver::start().await);
    let made = endpoint(&app, &receiver.url("/in"), &entries()).await;
    let owner = &app.team.owner.client;
    let rotated = about(owner, "rotateWebhookEndpointSecret", &made.id, &json!({})).await;
    let secret = rotated["secret"].as_str().expect("a secret").to_owned();
    assert_ne!(secret, made.secret);
    grant(&app, "one").await;
    deliver(&app).await;
    let both = receiver.received("/in").pop().expect("a message");
    assert_eq!(
        (both.signatures(&made.secret), both.signatures(&secret)),
        ((2, 1), (2, 1))
    );
    app.advance(Duration::from_hours(24));
    grant(&app, "two").await;
    deliver(&app).await;
    let one = receiver.received("/in").pop().expect("a message");
    assert_eq!(
        (one.signatures(&made.secret), one.signatures(&secret)),
        ((1, 0), (1, 1))
    );
    // After a leak: the secret before the last two signs nothing.
    let again = about(owner, "rotateWebhookEndpointSecret", &made.id, &json!({})).await;
    about(owner, "rotateWebhookEndpointSecret", &made.id, &json!({})).await;
    assert_eq!(code(&again), "accepted");
    grant(&app, "three").await;
    deliver(&app).await;
    let last = receiver.received("/in").pop().expect("a message");
    assert_eq!(last.signatures(&secret), (2, 0));
}
