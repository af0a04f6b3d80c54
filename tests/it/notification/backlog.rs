//! An account with a long backlog of events: it catches up in small steps, and postings continue in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ledgerbell::domain::notification::Progress;
use ledgerbell::primitives::ids::AccountId;
use ledgerbell::workers::AlertWatch;
use sea_orm::{ConnectionTrait as _, DbBackend, Statement, TransactionTrait as _};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::kinds;
use crate::harness::TestApp;

/// Books and completes sessions of the team's member, a hundred at a time.
async fn charge_sessions(app: &TestApp, count: usize) {
    let (account, member) = (app.team.id(), app.team.member.id());
    for at in (0..count).step_by(100) {
        let numbers = at..count.min(at + 100);
        let items: Vec<Value> = numbers
            .clone()
            .map(|number| {
                json!({ "memberId": member, "externalId": format!("s{number}"), "title": "Yoga", "credits": "1",
                    "startsAt": app.in_minutes(1), "endsAt": app.in_minutes(2), "idempotencyKey": format!("book {number}") })
            })
            .collect();
        all_accepted(app, "bookSessions", &account, items).await;
        let items: Vec<Value> = numbers
            .map(|number| json!({ "externalId": format!("s{number}"), "idempotencyKey": format!("complete {number}") }))
            .collect();
        all_accepted(app, "completeSessions", &account, items).await;
    }
}

async fn all_accepted(app: &TestApp, mutation: &str, account: &str, items: Vec<Value>) {
    let count = items.len();
    let input = json!({ "accountId": account, "items": items });
    let fields = "results { userErrors { code } }";
    let payload = app.platform.mutate(mutation, fields, input).await;
    let results = payload["results"].as_array().expect("a list");
    assert!(
        results.len() == count && results.iter().all(|result| result["userErrors"] == json!([])),
        "{payload}"
    );
}

/// One step runs as few statements with a long backlog as with a short one, so it holds the account's lock equally briefly.
#[tokio::test]
async fn a_long_backlog_is_caught_up_with_in_steps_of_a_few_statements() {
    let app = TestApp::start().await;
    let alerts = &app.services().alerts;
    app.top_up(1_000).await;
    app.evaluate().await;
    charge_sessions(&app, 150).await;
    let account = app.team.account.id;
    let mut progress = Progress::default();
    let (mut steps, mut most) = (0, 0);
    loop {
        let before = app.app().database().statements();
        let alone = alerts.evaluate(&[account], &mut progress).await;
        assert_eq!(alone, Ok(Vec::new()), "it is plain what these say");
        most = most.max(app.app().database().statements() - before);
        steps += 1;
        if progress.take_unfinished().is_empty() {
            break;
        }
    }
    // A session that is booked and completed is three events, and the alert about it is one.
    assert!(steps >= 14, "{steps} steps");
    assert!(most <= 20, "{most} statements in a step");
    alerts.save_progress(&mut progress).await.expect("written");
    assert_eq!(alerts.late(10).await, Ok(Vec::new()));
    assert_eq!(kinds(&app.team.member).await.len(), 100, "as many as a page shows");

    // In complex cases an account is evaluated alone, and also in steps.
    charge_more(&app, 40).await;
    let (mut steps, mut most) = (0, 0);
    loop {
        let before = app.app().database().statements();
        let has_more = alerts.evaluate_alone(account).await.expect("looked at");
        most = most.max(app.app().database().statements() - before);
        steps += 1;
        if !has_more {
            break;
        }
    }
    assert!(steps >= 4, "{steps} steps");
    assert!(most <= 40, "{most} statements in a step");
    assert_eq!(alerts.late(10).await, Ok(Vec::new()));
}

/// Like [`charge_sessions`], with other names.
async fn charge_more(app: &TestApp, count: usize) {
    for number in 0..count {
        super::complete(app, &app.team, &format!("more {number}")).await;
    }
}

/// Returns a number about the team's account.
async fn figure(app: &TestApp, sql: &str) -> i64 {
    let database = app.app().database();
    let statement = Statement::from_sql_and_values(database.backend(), sql, [app.team.account.id.number().into()]);
    let row = database.read().query_one_raw(statement).await.expect("reads");
    row.map_or(0, |row| row.try_get("", "sequence").expect("a number"))
}

/// Returns the longest wait for the account's lock by a task that takes it again and again.
async fn longest_lock(url: String, account: AccountId, is_over: Arc<AtomicBool>) -> (Duration, usize) {
    let database = sea_orm::Database::connect(url).await.expect("connects");
    let sql = "SELECT account_id FROM account_state WHERE account_id = $1 FOR UPDATE";
    let (mut longest, mut looks) = (Duration::ZERO, 0);
    while !is_over.load(Ordering::SeqCst) {
        let tx = database.begin().await.expect("begins");
        let begun = Instant::now();
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, [account.number().into()]);
        tx.query_one_raw(statement).await.expect("locks");
        longest = longest.max(begun.elapsed());
        looks += 1;
        tx.rollback().await.expect("ends");
        tokio::task::yield_now().await;
    }
    database.close().await.expect("closes");
    (longest, looks)
}

fn shown(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |part: usize| {
        times
            .get(times.len() * part / 100)
            .or(times.last())
            .map_or(0.0, |time| time.as_secs_f64() * 1_000.0)
    };
    format!("p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms", at(50), at(99), at(100))
}

/// `cargo test --test it backlog:: -- --ignored --nocapture`, on Postgres: figures for docs/decisions/notification.md.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "prints figures"]
async fn postings_beside_a_backlog_of_five_thousand_events() {
    let app = TestApp::start().await;
    app.top_up(10_000).await;
    app.evaluate().await;
    charge_sessions(&app, 2_500).await;
    let account = app.team.account.id;
    let grant = async |number: usize| {
        let input = json!({ "accountId": app.team.id(), "amount": "1", "description": "Test", "idempotencyKey": format!("g{number}") });
        let begun = Instant::now();
        app.platform.accept("adjust_credits", input).await;
        begun.elapsed()
    };
    let probe = || {
        let is_over = Arc::new(AtomicBool::new(false));
        let locks = app.database_url().starts_with("postgres").then(|| {
            let url = app.database_url().to_owned();
            tokio::spawn(longest_lock(url, account, Arc::clone(&is_over)))
        });
        (is_over, locks)
    };
    let (is_over, locks) = probe();
    let mut before = Vec::new();
    for number in 0..200 {
        before.push(grant(number).await);
    }
    is_over.store(true, Ordering::SeqCst);
    println!("before: {}", shown(before));
    show(locks).await;
    let head = figure(
        &app,
        "SELECT event_sequence AS sequence FROM account_state WHERE account_id = $1",
    )
    .await;
    let (is_over, locks) = probe();
    let stop = CancellationToken::new();
    let begun = Instant::now();
    let watch = tokio::spawn(AlertWatch::new(app.services().clone()).run(stop.clone()));
    let (mut beside, mut number) = (Vec::new(), 1_000);
    loop {
        beside.push(grant(number).await);
        number += 1;
        let place = figure(&app, "SELECT sequence FROM alert_place WHERE account_id = $1").await;
        if place >= head || number > 20_000 {
            break;
        }
    }
    let caught_up = begun.elapsed();
    is_over.store(true, Ordering::SeqCst);
    stop.cancel();
    watch.await.expect("ends");
    println!(
        "beside: {} of {} postings, caught up after {} ms",
        shown(beside.clone()),
        beside.len(),
        caught_up.as_millis()
    );
    show(locks).await;
}

#[allow(clippy::print_stdout, reason = "what a measurement prints is its result")]
async fn show(locks: Option<JoinHandle<(Duration, usize)>>) {
    if let Some(locks) = locks {
        let (longest, looks) = locks.await.expect("ends");
        println!(
            "longest wait for the account's lock: {:.1} ms of {looks}",
            longest.as_secs_f64() * 1_000.0
        );
    }
}
