//! Raising alerts only writes while it holds an account's lock. Everything that it needs was read before.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ledgerbell::domain::database::Database;
use ledgerbell::domain::notification::Progress;
use sea_orm::{ConnectOptions, Statement};
use serde_json::json;
use tokio::sync::mpsc;

use super::plans::listening;
use super::{complete, deliveries, kinds, set, verify};
use crate::harness::TestApp;

/// The statements under the lock, for any number of alerts. The first one checks that the inputs have not changed.
const UNDER_THE_LOCK: [&str; 6] = [
    "SELECT",
    "INSERT INTO alert",
    "INSERT INTO delivery",
    "INSERT INTO event",
    "INSERT INTO alert_place",
    "INSERT INTO account_state",
];

/// The verbs and tables of the statements after the one that locks the account.
fn after_the_lock(statements: &[Statement]) -> Vec<String> {
    let is_lock = |statement: &Statement| statement.sql.starts_with("SELECT account_id, status");
    let lock = statements.iter().position(is_lock).expect("the account is locked");
    let named = statements[lock + 1..].iter().map(|statement| {
        let words = if statement.sql.starts_with("SELECT") { 1 } else { 3 };
        let words: Vec<&str> = statement.sql.split_whitespace().take(words).collect();
        words.join(" ")
    });
    named.collect()
}

#[tokio::test]
async fn under_the_lock_alerts_are_only_written() {
    let app = TestApp::start().await;
    let (database, asked) = listening(app.database_url()).await;
    let process = app.another_process_by(database).await;
    let (alerts, account) = (&process.services().alerts, app.team.account.id);
    app.top_up(1_000).await;
    app.evaluate().await;
    for round in ["calm", "low"] {
        let count = if round == "calm" { 1 } else { 8 };
        for number in 0..count {
            complete(&app, &app.team, &format!("{round} {number}")).await;
        }
        asked.lock().expect("lock").clear();
        let alone = alerts.evaluate(&[account], &mut Progress::default()).await;
        assert_eq!(alone, Ok(Vec::new()), "it is plain what these say");
        let statements: Vec<Statement> = std::mem::take(&mut *asked.lock().expect("lock"));
        assert_eq!(after_the_lock(&statements), UNDER_THE_LOCK, "{round}: {statements:#?}");
        // From here on an alert about the balance is open, so the balance is compared each time.
        set(&app.team.owner, json!({ "lowBalanceThreshold": "5000" })).await;
        app.evaluate().await;
    }
    assert_eq!(kinds(&app.team.member).await.len(), 9);
    process.close().await;
}

/// Makes a database that pauses once at the last read before the lock, until the other end has responded.
async fn pausing(url: &str) -> (Database, mpsc::UnboundedReceiver<std::sync::mpsc::Sender<()>>) {
    let mut options = ConnectOptions::new(url);
    options.max_connections(2).sqlx_logging(false);
    let connection = sea_orm::Database::connect(options).await.expect("connects");
    let (pause, paused) = mpsc::unbounded_channel();
    let has_paused = AtomicBool::new(false);
    let database = Database::new(connection, None).observed_by(move |statement| {
        let is_last = statement.sql.contains("JOIN delivery t ON");
        if is_last && !has_paused.swap(true, Ordering::SeqCst) {
            let (go_on, may_go_on) = std::sync::mpsc::channel();
            pause.send(go_on).expect("the test waits");
            tokio::task::block_in_place(|| may_go_on.recv()).expect("an answer");
        }
    });
    (database, paused)
}

#[tokio::test(flavor = "multi_thread")]
async fn recipients_that_change_before_the_lock_are_read_again() {
    let app = TestApp::start().await;
    let (database, mut paused) = pausing(app.database_url()).await;
    let process = app.another_process_by(database).await;
    let (alerts, account, member) = (&process.services().alerts, app.team.account.id, &app.team.member);
    app.top_up(1_000).await;
    verify(&app, member).await;
    app.evaluate().await;
    complete(&app, &app.team, "s").await;
    let mut progress = Progress::default();
    let change = async {
        let go_on = paused.recv().await.expect("it reads who to notify");
        let mail = json!({ "preferences": [{ "kind": "SESSION_CHARGED", "channel": "EMAIL", "enabled": true }] });
        set(member, mail).await;
        go_on.send(()).expect("it waits");
    };
    let accounts = [account];
    let (alone, ()) = tokio::join!(alerts.evaluate(&accounts, &mut progress), change);
    assert_eq!(alone, Ok(Vec::new()));
    assert_eq!(
        kinds(member).await,
        Vec::<String>::new(),
        "what was read is no longer true"
    );
    assert_eq!(progress.take_unfinished(), [account], "so it is prepared anew");

    let alone = alerts.evaluate(&[account], &mut progress).await.expect("looked at");
    for account_id in alone {
        while alerts.evaluate_alone(account_id).await.expect("looked at") {}
    }
    assert_eq!(kinds(member).await, ["SESSION_CHARGED"]);
    let mails = deliveries(&app, member).await.into_iter();
    let mut mails =
        mails.filter(|delivery| delivery["channel"] == "EMAIL" && delivery["alert"]["kind"] == "SESSION_CHARGED");
    assert_eq!(
        mails.next().expect("one")["status"],
        "QUEUED",
        "by the settings that hold now"
    );
    assert!(mails.next().is_none());
    process.close().await;
}

/// The test acts as if each event took longer than a transaction may hold the lock.
#[tokio::test]
async fn an_account_looked_at_alone_is_released_after_the_event_at_which_its_time_was_up() {
    let app = TestApp::start().await;
    let account = app.team.account.id;
    let impatient = app.services().alerts.clone().holding_for(Duration::ZERO);
    app.top_up(1_000).await;
    app.evaluate().await;
    for number in 0..6 {
        complete(&app, &app.team, &format!("s{number}")).await;
    }
    let mut found = Vec::new();
    loop {
        let has_more = impatient.evaluate_alone(account).await.expect("looked at");
        found.push(kinds(&app.team.member).await.len());
        if !has_more {
            break;
        }
    }
    assert_eq!(
        found,
        [1, 2, 3, 4, 5, 6],
        "each event is dealt with once, in a transaction of its own"
    );
    assert_eq!(app.services().alerts.late(10).await, Ok(Vec::new()));
    assert!(!impatient.evaluate_alone(account).await.expect("looked at"));
    assert_eq!(kinds(&app.team.member).await.len(), 6);
}
