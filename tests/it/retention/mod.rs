//! Old events and webhooks are deleted where a setting says so, idempotency keys expire, and nothing that is still needed is gone.

mod keys;

use std::time::Duration;

use ledgerbell::domain::event::LiveCursor;
use ledgerbell::domain::fault::Fault;
use ledgerbell::domain::ledger::verify::{VerifyReport, verify};
use ledgerbell::domain::retention::Pruned;
use ledgerbell::primitives::actor::Permission;
use sea_orm::{ConnectionTrait as _, Statement};
use serde_json::json;

use crate::cli::executable;
use crate::harness::{BEGIN, TestApp, code};

const EVENTS: &str =
    "subscription($after: LiveCursor) { creditEntryPosted(after: $after) { signal cursor entry { amount } } }";
const PAGE: &str = "query($after: LiveCursor) { account { events(after: $after, first: 100) { events { signal } } } }";
const THIRTY_DAYS: &[(&str, &str)] = &[("retention.events_days", "30"), ("retention.webhooks_days", "30")];
const DAY: Duration = Duration::from_hours(24);

async fn prune(app: &TestApp) -> Pruned {
    let mut all = Pruned::default();
    let mut place = None;
    loop {
        let turn = app.services().retention.turn(place).await.expect("deletes");
        assert_eq!(turn.failed, 0);
        all += turn.pruned;
        place = turn.next;
        if place.is_none() {
            return all;
        }
    }
}

async fn cursor(app: &TestApp) -> LiveCursor {
    let id = app.team.account.id;
    app.services().events.present(id).await.expect("reads").expect("exists")
}

async fn verified(app: &TestApp) -> VerifyReport {
    verify(app.app().database(), |_| {}).await.expect("verifies")
}

async fn execute(app: &TestApp, sql: &str) {
    let sql = sql.to_owned();
    let executed = app.app().database().transaction(move |tx| {
        let statement = Statement::from_string(tx.get_database_backend(), sql.clone());
        Box::pin(async move {
            tx.execute_raw(statement).await?;
            Ok::<(), Fault>(())
        })
    });
    executed.await.expect("executed");
}

async fn count(app: &TestApp, rows: &str) -> i64 {
    let database = app.app().database();
    let sql = format!("SELECT COUNT(*) FROM {rows}");
    let statement = Statement::from_string(database.backend(), sql);
    let row = database
        .read()
        .query_one_raw(statement)
        .await
        .expect("reads")
        .expect("a row");
    row.try_get_by_index(0).expect("a number")
}

#[tokio::test]
async fn events_that_are_old_and_read_are_deleted_and_their_cursors_start_over() {
    let mut app = TestApp::start_with(THIRTY_DAYS).await;
    let key = app.key(&[Permission::ReadCreditLog]).await;
    let beginning = LiveCursor {
        sequence: 0,
        nonce: 0,
        ..cursor(&app).await
    };
    app.top_up(1).await;
    let old = cursor(&app).await;
    app.top_up(2).await;
    let last_old = cursor(&app).await;
    app.advance(31 * DAY);
    assert_eq!(prune(&app).await.events, 0, "no alert was looked for yet");
    app.evaluate().await;
    app.top_up(3).await;
    let recent = cursor(&app).await;
    app.top_up(4).await;

    let deleted = prune(&app).await.events;
    let account = app.team.account.id.number();
    let first = count(
        &app,
        &format!(
            "event WHERE account_id = {account} AND sequence <= {}",
            last_old.sequence
        ),
    )
    .await;
    assert_eq!(
        (deleted >= last_old.sequence.unsigned_abs(), first),
        (true, 0),
        "{deleted}"
    );
    assert_eq!(prune(&app).await, Pruned::default(), "again finds nothing");
    assert!(verified(&app).await.is_clean());

    for gone in [beginning, old, last_old] {
        let mut subscriber = app.subscribe(&key, EVENTS, json!({ "after": gone.encode() })).await;
        subscriber.expect("RESET").await;
        let page = key.query(PAGE, json!({ "after": gone.encode() })).await;
        assert_eq!(page.at("/account/events/events"), &json!([{ "signal": "RESET" }]));
    }
    let mut subscriber = app.subscribe(&key, EVENTS, json!({ "after": recent.encode() })).await;
    assert_eq!(subscriber.expect("ITEM").await["entry"]["amount"], "4");
    subscriber.expect("CAUGHT_UP").await;
    // What comes next is numbered on, and evaluated.
    app.top_up(5).await;
    assert_eq!(subscriber.expect("ITEM").await["entry"]["amount"], "5");
    app.evaluate().await;
    assert!(verified(&app).await.is_clean());

    // The last event stays: the stream continues after it.
    app.advance(400 * DAY);
    app.evaluate().await;
    prune(&app).await;
    let last = format!(
        "event WHERE account_id = {account} \
         AND sequence = (SELECT event_sequence FROM account_state WHERE account_id = {account})"
    );
    assert_eq!(count(&app, &last).await, 1);
    app.top_up(6).await;
    assert_eq!(subscriber.expect("ITEM").await["entry"]["amount"], "6");
    assert!(verified(&app).await.is_clean());

    // A hole behind the deleted ones is one.
    app.do_not_verify();
    app.top_up(7).await;
    let last = cursor(&app).await.sequence;
    execute(
        &app,
        &format!(
            "DELETE FROM event WHERE account_id = {account} AND sequence = {}",
            last - 1
        ),
    )
    .await;
    let found = verified(&app).await;
    assert!(
        found
            .violations
            .iter()
            .any(|one| one.what.contains("event before this number"))
    );
}

#[tokio::test]
async fn processed_webhooks_that_are_old_are_deleted() {
    let app = TestApp::start_with(THIRTY_DAYS).await;
    let received_at = BEGIN.millis();
    for (event, status) in [("first", "APPLIED"), ("second", "APPLIED"), ("third", "PARKED")] {
        let sql = format!(
            "INSERT INTO webhook_inbox (gateway, event_id, kind, body, status, tries, received_at) \
             VALUES ('simulated', '{event}', 'charge', '', '{status}', 1, {received_at})"
        );
        execute(&app, &sql).await;
    }
    app.advance(29 * DAY);
    assert_eq!(prune(&app).await.webhooks, 0);
    app.advance(2 * DAY);
    assert_eq!(prune(&app).await.webhooks, 2);
    assert_eq!(
        count(&app, "webhook_inbox").await,
        1,
        "an operator decides on the parked one"
    );
}

#[tokio::test]
async fn without_a_setting_everything_is_kept() {
    let app = TestApp::start().await;
    app.top_up(1).await;
    app.evaluate().await;
    app.advance(4_000 * DAY);
    assert_eq!(prune(&app).await, Pruned::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_deletes_what_the_settings_allow() {
    // The clock of this test is behind that of the command by more than the days of the setting.
    let app = TestApp::start().await;
    app.top_up(1).await;
    app.book(app.booking("0.7", "lesson", 10..55)).await;
    app.evaluate().await;
    let run = |settings: &[(&str, &str)]| {
        let mut command = executable(app.data_dir(), app.database_url());
        command.envs(settings.iter().copied());
        let output = command.arg("prune").output().expect("it runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let deleted = |events: i64, keys: i64| {
        format!("{events} events and 0 webhooks were deleted, and {keys} idempotency keys have expired")
    };
    assert_eq!(run(&[]), deleted(0, 0));
    let events = format!("event WHERE account_id = {}", app.team.account.id.number());
    let before = count(&app, &events).await;
    let printed = run(&[("LEDGERBELL_RETENTION_EVENTS_DAYS", "31")]);
    let after = count(&app, &events).await;
    assert!(after < before);
    assert_eq!(printed, deleted(before - after, 0));
    let printed = run(&[("LEDGERBELL_RETENTION_IDEMPOTENCY_KEYS_DAYS", "31")]);
    assert_eq!(printed, deleted(0, 1), "that of the booking");
    let again = app.booking("0.7", "lesson", 10..55);
    let refused = app.platform.mutate("bookSession", "session { id }", again).await;
    assert_eq!(code(&refused), "IDEMPOTENCY_KEY_EXPIRED");
}
