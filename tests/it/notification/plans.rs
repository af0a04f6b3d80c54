//! Query plans of this module: growing tables are read by an index, and not by the account alone.
//!
//! The statements are those of a sequence of use cases. Postgres is configured to avoid scans where possible: then only a
//! statement without an index scans, however few rows there are.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ledgerbell::domain::database::Database;
use ledgerbell::domain::fault::Fault;
use ledgerbell::domain::notification::Progress;
use ledgerbell::primitives::actor::Actor;
use sea_orm::{ConnectOptions, ConnectionTrait, DbBackend, Statement};
use serde_json::json;

use super::{code, complete, set};
use crate::harness::TestApp;
use crate::top_ups::Buyer;

pub(super) type Asked = Arc<Mutex<Vec<Statement>>>;

/// Tables that grow with events. No statement scans all rows of an account in them.
const GROWING: [&str; 4] = ["alert", "delivery", "event", "credit_lot"];
/// Tables that grow with accounts and members.
const OTHERS: [&str; 8] = [
    "alert_due",
    "alert_edge",
    "alert_place",
    "contact",
    "member",
    "notification_settings",
    "notification_address",
    "auto_top_up",
];
/// Indexes that contain only open rows, which are few.
const FEW: [&str; 3] = ["delivery_unread", "credit_lot_spending", "credit_lot_expiry"];

pub(super) async fn listening(url: &str) -> (Database, Asked) {
    let asked = Asked::default();
    let mut options = ConnectOptions::new(url);
    options.max_connections(2).sqlx_logging(false);
    let connection = sea_orm::Database::connect(options).await.expect("connects");
    let log = Arc::clone(&asked);
    let database =
        Database::new(connection, None).observed_by(move |statement| log.lock().expect("lock").push(statement.clone()));
    (database, asked)
}

/// Causes alerts of every origin: by events, by time, postponed, about purchases, seen, marked and sent by mail.
async fn story(app: &TestApp, database: Database) {
    let process = app.another_process_by(database).await;
    let services = process.services();
    let (team, system) = (&app.team, &Actor::System);
    let buyer = Buyer::of(app);
    set(&team.owner, json!({ "lowBalanceThreshold": "50" })).await;
    let address = json!({ "accountId": team.id(), "label": "Accounting", "email": "books@example.com", "emailVerified": true,
        "alertKinds": ["LOW_BALANCE", "TOP_UP_SUCCEEDED"], "lowBalanceThreshold": "60" });
    assert_eq!(
        code(&app.platform.mutate("addNotificationAddress", "", address).await),
        "accepted"
    );
    app.top_up(100).await;
    buyer.add_card("card_declined").await;
    let rule = json!({ "enabled": true, "trigger": "20", "amount": "10", "consent": true });
    buyer.accept("updateAutoTopUp", "autoTopUp { state }", rule).await;
    let grant = json!({ "accountId": team.id(), "credits": "5", "description": "Gift",
        "expiresAt": app.in_minutes(24 * 60), "idempotencyKey": "g" });
    app.platform.apply("grantCredits", "", grant).await;
    let look = async || {
        services.alerts.late(10).await.expect("looks");
        while services.alerts.evaluate_alone(team.account.id).await.expect("looks") {}
        services.alerts.evaluate_due(10).await.expect("looks");
        services.outbox.send_due(10).await.expect("sends");
    };
    for amount in ["-60", "-30", "-20", "90"] {
        app.advance(Duration::from_mins(1));
        let input =
            json!({ "accountId": team.id(), "amount": amount, "description": "Test", "idempotencyKey": amount });
        app.platform.accept("adjust_credits", input).await;
        look().await;
        app.settle().await;
        look().await;
    }
    app.advance(Duration::from_hours(24));
    look().await;
    let calm = app.another_team("calm").await;
    app.top_up_of(&calm, 100).await;
    app.evaluate().await;
    complete(app, &calm, "s").await;
    let alone = services
        .alerts
        .evaluate(&[calm.account.id], &mut Progress::default())
        .await;
    assert_eq!(alone, Ok(Vec::new()), "with others");
    let (account, member) = (team.account.id, team.owner.member.id);
    services.alerts.unread(system, account, member).await.expect("reads");
    process.close().await;
}

/// Returns each statement once, of those that name one of the tables.
fn statements(asked: &Asked) -> BTreeMap<String, Statement> {
    let asked = asked.lock().expect("lock").clone();
    let is_explained = |statement: &Statement| {
        ["SELECT", "UPDATE", "DELETE"]
            .iter()
            .any(|verb| statement.sql.starts_with(verb))
            && GROWING.iter().chain(&OTHERS).any(|table| statement.sql.contains(table))
    };
    let found = asked.into_iter().filter(is_explained);
    let found: BTreeMap<_, _> = found.map(|statement| (statement.sql.clone(), statement)).collect();
    for part in [
        "FROM alert_due WHERE due_at",
        "dedupe_key, facts",
        "GROUP BY expires_at",
        "FROM alert_edge",
        "FROM delivery",
        "MAX(n.low_balance_threshold)",
        "t.sequence > r.after",
        "t.id = r.member_id",
        "SELECT t.account_id, t.id, t.label",
        "SELECT r.number, t.account_id, t.id, t.label",
    ] {
        let is_there = found.keys().any(|sql| sql.contains(part));
        assert!(
            is_there,
            "the story has made no statement with {part:?}: {:#?}",
            found.keys()
        );
    }
    found
}

async fn plan(database: &Database, statement: &Statement) -> Vec<String> {
    let mut explained = statement.clone();
    let is_sqlite = database.backend() == DbBackend::Sqlite;
    explained.sql = format!(
        "{} {}",
        if is_sqlite { "EXPLAIN QUERY PLAN" } else { "EXPLAIN" },
        statement.sql
    );
    database
        .transaction(move |tx| {
            let explained = explained.clone();
            Box::pin(async move {
                if !is_sqlite {
                    tx.execute_unprepared("SET LOCAL enable_seqscan = off").await?;
                }
                let rows = tx.query_all_raw(explained).await?;
                let column = if is_sqlite { 3 } else { 0 };
                let steps = rows
                    .iter()
                    .map(|row| Ok::<_, Fault>(row.try_get_by_index::<String>(column)?));
                steps.collect::<Result<Vec<_>, Fault>>()
            })
        })
        .await
        .expect("explains")
}

#[tokio::test]
async fn whatever_grows_is_found_by_an_index() {
    let app = TestApp::start().await;
    let (database, asked) = listening(app.database_url()).await;
    Box::pin(story(&app, database)).await;
    let (database, _) = listening(app.database_url()).await;
    let mut complaints = Vec::new();
    for (sql, statement) in statements(&asked) {
        for step in plan(&database, &statement).await {
            // A parameter list is scanned, and is short.
            let is_parameter = ["json_each", "SCAN r", "CONSTANT ROW"]
                .iter()
                .any(|name| step.contains(name));
            let walks = (step.starts_with("SCAN") || step.contains("Seq Scan")) && !is_parameter;
            if walks || is_by_account_alone(&step) {
                complaints.push(format!("{step}\n  {sql}"));
            }
        }
    }
    database.close().await.expect("closes");
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

/// Returns whether a step reads all rows of an account in a growing table: `SEARCH alert USING INDEX … (account_id=?)`. On Postgres the
/// condition of a step is on a separate line without the table. So only SQLite is checked; it has the same indexes.
fn is_by_account_alone(step: &str) -> bool {
    let is_of_others = OTHERS.iter().chain(&FEW).any(|name| step.contains(name));
    let grows = GROWING.iter().any(|table| step.contains(table));
    step.ends_with("(account_id=?)") && grows && !is_of_others
}

/// For any number of accounts, an index finds late ones. It contains only those, and each is removed when it is read.
#[tokio::test]
async fn late_accounts_are_found_by_an_index_of_late_accounts() {
    let app = TestApp::start().await;
    let (database, asked) = listening(app.database_url()).await;
    let process = app.another_process_by(database).await;
    let (alerts, backlog) = (&process.services().alerts, &process.services().backlog);
    app.evaluate().await;
    assert_eq!(alerts.late(10).await, Ok(Vec::new()));
    let calm = app.another_team("calm").await;
    app.top_up_of(&calm, 100).await;
    // As if its bell was lost.
    assert_eq!(alerts.late(10).await, Ok(vec![calm.account.id]));
    app.advance(Duration::from_secs(90));
    let queues = backlog.queues(app.clock.now()).await.expect("read");
    let queue = queues
        .iter()
        .find(|queue| queue.name == "alerts")
        .expect("there is one");
    assert_eq!((queue.waiting, queue.lag(app.clock.now())), (1, 90_000));
    let mut progress = Progress::default();
    let alone = alerts
        .evaluate(&[calm.account.id], &mut progress)
        .await
        .expect("looked at");
    for account_id in alone {
        while alerts.evaluate_alone(account_id).await.expect("looked at") {}
    }
    // A decrease of this size raises no alert, so it is skipped without the account's lock.
    let input = json!({ "accountId": calm.id(), "amount": "-1", "description": "Test", "idempotencyKey": "less" });
    app.platform.accept("adjust_credits", input).await;
    assert_eq!(alerts.late(10).await, Ok(vec![calm.account.id]));
    assert_eq!(alerts.evaluate(&[calm.account.id], &mut progress).await, Ok(Vec::new()));
    alerts.save_progress(&mut progress).await.expect("written");
    assert_eq!(alerts.late(10).await, Ok(Vec::new()));
    process.close().await;

    let asked: Vec<Statement> = std::mem::take(&mut *asked.lock().expect("lock"));
    let (database, _) = listening(app.database_url()).await;
    for part in [
        "ORDER BY unread_since, account_id",
        "SELECT unread_since AS due",
        "SET unread_since = NULL",
    ] {
        let statement = asked.iter().find(|statement| statement.sql.contains(part));
        let statement = statement.unwrap_or_else(|| panic!("{part} is asked"));
        let steps = plan(&database, statement).await;
        let by = if part.starts_with("SET") {
            "account_state"
        } else {
            "account_state_unread"
        };
        assert!(steps.iter().any(|step| step.contains(by)), "{steps:?}");
        let walks = |step: &String| {
            step.contains("SCAN account_state") && !step.contains("account_state_unread")
                || step.contains("Seq Scan on account_state")
        };
        assert!(!steps.iter().any(walks), "{steps:?}");
    }
    database.close().await.expect("closes");
}
