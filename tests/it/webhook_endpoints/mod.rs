//! Outgoing webhooks, received by an HTTP server of the test.

mod filtering;
mod hanging;
mod managing;
pub(crate) mod receiver;
mod sending;
mod trying_again;

use ledgerbell::primitives::ids::AccountId;
use serde_json::{Value, json};

use crate::harness::{Client, TestApp};

/// The state of an endpoint.
const ENDPOINT: &str =
    "webhookEndpoint { id account { id } url description eventTypes enabled disabledBecause disabledAt failingSince
    previousSecretUntil createdBy { label } createdAt deletedAt version }";

/// The log of an endpoint.
const LOG: &str =
    "query ($id: ID!, $about: ID) { node(id: $id) { ... on WebhookEndpoint { enabled disabledBecause failingSince
    messages(accountId: $about) { nodes { id type status payload nextAttemptAt deliveredAt
        webhookEndpoint { id } attempts { number startedAt statusCode failure } } } } } }";

/// A server that may call receivers of the test.
pub(crate) async fn start() -> TestApp {
    Box::pin(TestApp::start_with(&[(
        "webhook_endpoints.allowed_networks",
        "127.0.0.0/8",
    )]))
    .await
}

/// Writes the messages about all new events.
async fn collect(app: &TestApp) {
    let collecting = &app.services().webhook_collecting;
    let mut reached = AccountId::PLATFORM;
    loop {
        let mut accounts = collecting
            .next_accounts(reached, 500)
            .await
            .expect("accounts are found");
        let Some(last) = accounts.last().copied() else { return };
        while !accounts.is_empty() {
            accounts = collecting.collect(&accounts).await.expect("messages are written");
        }
        reached = last;
    }
}

/// Writes the messages about all new events, and sends those that are due, until none is left.
pub(crate) async fn deliver(app: &TestApp) {
    collect(app).await;
    let sending = &app.services().webhook_sending;
    loop {
        let claimed = sending
            .claim(50, std::iter::empty())
            .await
            .expect("messages are claimed");
        if claimed.is_empty() {
            return;
        }
        for message in claimed {
            sending.attempt(message).await.expect("an attempt is recorded");
        }
    }
}

/// An endpoint, and the secret that signs its messages.
pub(crate) struct Made {
    pub(crate) id: String,
    secret: String,
}

/// Creates an endpoint of the team, as its owner.
pub(crate) async fn endpoint(app: &TestApp, url: &str, with: &Value) -> Made {
    let mut input = json!({ "accountId": app.team.id(), "url": url });
    let fields = input.as_object_mut().expect("an object");
    fields.extend(with.as_object().expect("an object").clone());
    let made = app
        .team
        .owner
        .client
        .apply("createWebhookEndpoint", "webhookEndpoint { id } secret", input)
        .await;
    made_of(&made)
}

fn made_of(payload: &Value) -> Made {
    let text = |path: &str| payload.pointer(path).and_then(Value::as_str).expect(path).to_owned();
    Made {
        id: text("/webhookEndpoint/id"),
        secret: text("/secret"),
    }
}

/// Sends a mutation about an endpoint. Returns the payload.
pub(crate) async fn about(client: &Client, name: &str, id: &str, with: &Value) -> Value {
    let mut input = json!({ "webhookEndpointId": id });
    let fields = input.as_object_mut().expect("an object");
    fields.extend(with.as_object().expect("an object").clone());
    let selection = match name {
        "sendTestWebhook" => "webhookMessage { id }",
        "replayWebhooks" => "messageCount cursor hasMore",
        "rotateWebhookEndpointSecret" => "secret",
        _ => ENDPOINT,
    };
    client.mutate(name, selection, input).await
}

/// The first code of a payload, or `accepted`.
fn code(payload: &Value) -> &str {
    payload["userErrors"][0]["code"].as_str().unwrap_or("accepted")
}

/// Posts an entry, which is an event.
pub(crate) async fn grant(app: &TestApp, key: &str) -> Value {
    let input = json!({ "accountId": app.team.id(), "credits": "5", "description": "Welcome", "idempotencyKey": key });
    app.platform.apply("grantCredits", "entry { id }", input).await
}

/// The messages of an endpoint, newest first.
async fn log(client: &Client, id: &str) -> Value {
    let answer = client.query(LOG, json!({ "id": id })).await;
    answer.at("/node").clone()
}

/// The only type of events that most tests need.
pub(crate) fn entries() -> Value {
    json!({ "eventTypes": ["CREDIT_ENTRY_POSTED"] })
}
