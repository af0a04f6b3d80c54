//! Faults of real systems. Each is prevented, with a test whose name begins with its number.
//!
//! This file has the faults that are visible through the API. The faults of the ledger are tested beside its core and its
//! engine (`src/domain/ledger/model/tests`, `src/domain/ledger/engine/tests`), those of reading in `reading`. Those of
//! purchases (F1 to F34) are in `top_ups`, whose `mod.rs` lists them, and those of alerts in `notification`. docs/faults.md
//! lists all faults with their tests.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Client, TestApp, with};

const BOOK: &str = "session { id status held } balance { version posted held available } entry { id }";
const COMPLETE: &str = "session { id status charged } balance { version posted held available } entry { id sequence }";
const CANCEL: &str = "session { id status held } balance { held }";
const RESCHEDULE: &str = "session { id held startsAt } balance { held }";
const LOG: &str = "query($id: ID!) { account(id: $id) { balance { posted held available version } creditLog(order: OLDEST_FIRST) { \
    nodes { amount balanceAfter kind actor { kind label } member { name } session { id title } } \
    totals { scope count added deducted net } } } }";

fn resolving(app: &TestApp, session: &Value, key: &str) -> Value {
    json!({ "accountId": app.team.id(), "sessionId": session["id"], "idempotencyKey": key })
}

/// Books a session of an hour, and returns the payload.
async fn book(app: &TestApp, credits: &str, key: &str) -> Value {
    app.platform
        .mutate("bookSession", BOOK, app.booking(credits, key, 60..120))
        .await
}

/// Completes a session, and returns the payload.
async fn complete(app: &TestApp, session: &Value, key: &str) -> Value {
    app.platform
        .mutate("completeSession", COMPLETE, resolving(app, session, key))
        .await
}

async fn log(app: &TestApp, client: &Client) -> Value {
    client
        .query(LOG, json!({ "id": app.team.id() }))
        .await
        .at("/account")
        .clone()
}

#[tokio::test]
async fn f16_a_retry_gives_the_object_that_the_first_try_made() {
    let app = TestApp::start().await;
    app.top_up(10).await;
    let first = book(&app, "4", "k").await;
    let again = book(&app, "4.00", "k").await;
    assert_eq!(again["session"]["id"], first["session"]["id"]);
    assert_eq!(again["balance"], first["balance"]);
    let other = book(&app, "5", "k").await;
    assert_eq!(other["userErrors"][0]["code"], "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(
        log(&app, &app.platform).await["balance"],
        first["balance"],
        "nothing changed"
    );
}

#[tokio::test]
async fn f37_a_mutation_gives_the_balance_it_made_and_the_next_one_decides_on_it() {
    let app = TestApp::start().await;
    app.top_up(10).await;
    let booked = book(&app, "10", "a").await;
    assert_eq!(booked["balance"]["available"], "0");
    assert_eq!(log(&app, &app.platform).await["balance"], booked["balance"]);
    let refused = book(&app, "0.0001", "b").await;
    assert_eq!(refused["userErrors"][0]["code"], "INSUFFICIENT_CREDITS");
    app.top_up(1).await;
    let booked = book(&app, "0.0001", "b").await;
    assert_eq!(
        booked["balance"]["available"], "0.9999",
        "a top-up counts at once, and a refusal bound no key"
    );
}

#[tokio::test]
async fn f42_settling_again_after_a_lost_answer_charges_once() {
    let app = TestApp::start().await;
    app.top_up(10).await;
    let booked = book(&app, "4", "a").await;
    let first = complete(&app, &booked["session"], "settle").await;
    let again = complete(&app, &booked["session"], "settle").await;
    assert_eq!(again["entry"], first["entry"]);
    let other = complete(&app, &booked["session"], "another").await;
    assert_eq!(other["userErrors"][0]["code"], "SESSION_ALREADY_RESOLVED");
    assert_eq!(
        other["session"]["status"], "COMPLETED",
        "the payload shows the session as it is"
    );
    assert_eq!(log(&app, &app.platform).await["balance"]["posted"], "6");
}

#[tokio::test]
async fn f44_a_double_click_a_move_and_a_cancellation_hold_once_or_not_at_all() {
    let app = TestApp::start().await;
    app.top_up(10).await;
    let named = |key: &str| with(app.booking("4", key, 60..120), json!({ "externalId": "class-7" }));
    let booked = app.platform.mutate("bookSession", BOOK, named("first click")).await;
    let twice = app.platform.mutate("bookSession", BOOK, named("second click")).await;
    assert_eq!(twice["userErrors"][0]["code"], "SESSION_EXTERNAL_ID_TAKEN");
    assert_eq!(twice["session"]["id"], booked["session"]["id"]);
    let mut moved = json!({
        "accountId": app.team.id(), "externalId": "class-7", "startsAt": app.in_minutes(300), "endsAt": app.in_minutes(360),
        "idempotencyKey": "move",
    });
    let rescheduled = app
        .platform
        .mutate("rescheduleSession", RESCHEDULE, moved.clone())
        .await;
    assert_eq!(rescheduled["balance"]["held"], "4", "the hold moves");
    let canceled = app
        .platform
        .mutate("cancelSession", CANCEL, resolving(&app, &booked["session"], "decline"))
        .await;
    assert_eq!(
        (&canceled["session"]["held"], &canceled["balance"]["held"]),
        (&json!("0"), &json!("0"))
    );
    moved["idempotencyKey"] = json!("old link");
    let refused = app.platform.mutate("rescheduleSession", RESCHEDULE, moved).await;
    assert_eq!(refused["userErrors"][0]["code"], "SESSION_ALREADY_RESOLVED");
    assert_eq!(log(&app, &app.platform).await["balance"]["held"], "0");
}

#[tokio::test]
async fn f45_a_session_that_ended_shows_as_processing_and_as_held_not_as_charged() {
    let app = TestApp::start().await;
    app.top_up(10).await;
    book(&app, "4", "a").await;
    app.advance(Duration::from_hours(3));
    let query = "query($id: ID!, $filter: SessionFilter) { account(id: $id) { balance { posted held available } \
        sessions(filter: $filter) { nodes { status held charged endsAt deductionExpectedBy } } } }";
    let ask = async |status: &str| {
        let variables = json!({ "id": app.team.id(), "filter": { "statuses": [status] } });
        app.platform.query(query, variables).await.at("/account").clone()
    };
    let account = ask("PROCESSING").await;
    assert_eq!(
        account["balance"],
        json!({ "posted": "10", "held": "4", "available": "6" })
    );
    let session = &account["sessions"]["nodes"][0];
    assert_eq!(
        (&session["status"], &session["held"], &session["charged"]),
        (&json!("PROCESSING"), &json!("4"), &Value::Null)
    );
    assert_eq!(session["endsAt"], "2026-03-02T11:00:00.000Z");
    assert_eq!(session["deductionExpectedBy"], "2026-03-02T11:15:00.000Z");
    assert_eq!(ask("BOOKED").await["sessions"]["nodes"], json!([]));
}

#[tokio::test]
async fn f63_every_change_of_the_balance_is_an_entry_that_names_who_and_what_for() {
    let app = TestApp::start().await;
    app.top_up(10).await;
    let booked = book(&app, "4", "a").await;
    complete(&app, &booked["session"], "b").await;
    let account = log(&app, &app.team.owner.client).await;
    let entries = account["creditLog"]["nodes"].as_array().expect("entries");
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0]["actor"], json!({ "kind": "MEMBER", "label": "Olga" }));
    assert_eq!(entries[1]["actor"]["kind"], "API_KEY");
    assert_eq!(entries[1]["member"]["name"], "Mia");
    assert_eq!(
        entries[1]["session"],
        json!({ "id": booked["session"]["id"], "title": "Lesson" })
    );
    assert_eq!(entries[1]["balanceAfter"], account["balance"]["posted"]);
    assert_eq!(account["creditLog"]["totals"]["net"], account["balance"]["posted"]);
}

#[tokio::test]
async fn f67_figures_say_whether_they_are_the_accounts_or_the_members_own() {
    let app = TestApp::start().await;
    app.top_up(10).await;
    let booked = book(&app, "4", "a").await;
    complete(&app, &booked["session"], "b").await;
    let whole = log(&app, &app.team.admin.client).await;
    assert_eq!(
        whole["creditLog"]["totals"],
        json!({ "scope": "ACCOUNT", "count": "2", "added": "10", "deducted": "4", "net": "6" })
    );
    let own = log(&app, &app.team.member.client).await;
    assert_eq!(
        own["creditLog"]["totals"],
        json!({ "scope": "MEMBER", "count": "1", "added": "0", "deducted": "4", "net": "-4" })
    );
    assert_eq!(
        own["creditLog"]["nodes"].as_array().map(Vec::len),
        Some(1),
        "a member sees own entries"
    );
}

#[tokio::test]
async fn what_cannot_be_kept_or_asked_is_refused_by_field() {
    let app = TestApp::start().await;
    app.top_up(10).await;
    let input = app.booking("1", "deep", 60..120);
    let text = |field: &str| input[field].to_string();
    // In the document itself: a body nested this deeply is refused earlier.
    let deep = format!(
        "mutation {{ bookSession(input: {{ accountId: {}, memberId: {}, title: \"Deep\", credits: \"1\", startsAt: {}, \
         endsAt: {}, idempotencyKey: \"deep\", metadata: {}1{} }}) {{ session {{ id }} userErrors {{ code }} }} }}",
        text("accountId"),
        text("memberId"),
        text("startsAt"),
        text("endsAt"),
        "[".repeat(130),
        "]".repeat(130),
    );
    let answer = app.platform.query(&deep, json!({})).await;
    // Refused by the guard of documents or by the field; never accepted.
    assert!(
        !answer.body["errors"].is_null() || answer.only_field()["userErrors"][0]["code"] == "VALIDATION",
        "it could not be read back: {}",
        answer.body
    );
    let query =
        "query($id: ID!) { account(id: $id) { creditLog(filter: { amount: { min: \"-1\" } }) { nodes { id } } } }";
    let answer = app.platform.query(query, json!({ "id": app.team.id() })).await;
    assert_eq!(answer.error_code(), "BAD_REQUEST", "bounds are on the absolute amount");
    assert_eq!(log(&app, &app.platform).await["balance"]["held"], "0");
}
