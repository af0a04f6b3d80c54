//! Query plans of findings.

use ledgerbell::app::App;
use ledgerbell::config::Settings;
use ledgerbell::domain::fault::Fault;
use ledgerbell::domain::member::{NewAccount, NewMember};
use ledgerbell::primitives::actor::{Actor, MemberRole};
use ledgerbell::primitives::clock::Clock;
use ledgerbell::primitives::ids::AccountId;
use ledgerbell::primitives::money::CreditPrice;
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::harness::BEGIN;
use crate::reading::ground::Ground;

/// Tables that grow with events in an account.
const GROWING: [&str; 9] = [
    "session",
    "top_up",
    "top_up_attempt",
    "top_up_decision",
    "credit_entry",
    "delivery",
    "member",
    "contact",
    "notification_settings",
];

/// Returns the steps of a statement's plan, with all indexes available to the planner.
async fn steps(ground: &Ground, asked: Statement) -> Vec<String> {
    let backend = ground.backend();
    let explained = ground.database.snapshot(move |tx| {
        let mut asked = asked.clone();
        Box::pin(async move {
            let (how, column) = if backend == DbBackend::Sqlite {
                ("EXPLAIN QUERY PLAN", 3)
            } else {
                // For a nearly empty table, it would otherwise read all rows.
                tx.execute_unprepared("SET LOCAL enable_seqscan = off").await?;
                ("EXPLAIN", 0)
            };
            asked.sql = format!("{how} {}", asked.sql);
            let rows = tx.query_all_raw(asked).await?;
            let steps: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get_by_index(column)).collect();
            Ok::<_, Fault>(steps?)
        })
    });
    explained.await.expect("explains")
}

/// Starts the application on this database, with one account. The caller keeps the directory.
async fn started(ground: &Ground) -> (App, tempfile::TempDir, AccountId) {
    let directory = tempfile::tempdir().expect("a directory");
    let flags = vec![
        ("mode", Some("development".to_owned())),
        ("data_dir", Some(directory.path().display().to_string())),
        ("database.url", Some("sqlite://unused.db".to_owned())),
    ];
    let settings = Settings::load(None, [], flags).expect("the settings are valid");
    let app = App::start(ground.database.clone(), &settings, Clock::manual(BEGIN));
    let app = app.await.expect("the application starts");
    let owner = NewMember {
        external_id: None,
        name: "Olga".to_owned(),
        email: None,
        role: MemberRole::Owner,
        locale: None,
        email_verified: false,
    };
    let new = NewAccount {
        external_id: None,
        name: "Team".to_owned(),
        credit_price: CreditPrice::from_millionths(1_000_000),
        currency: "EUR".parse().expect("a currency"),
        timezone: chrono_tz::Tz::UTC,
        owner: Some(owner),
    };
    let made = app.services().accounts.create(&Actor::System, new).await;
    let account = made.expect("an account").id;
    (app, directory, account)
}

#[tokio::test]
async fn every_statement_uses_an_index() {
    for ground in Ground::each_with_plans().await {
        let (app, _directory, account) = started(&ground).await;
        ground.take_asked();
        let found = app.services().troubleshooting.findings(&Actor::System, account).await;
        assert_eq!(found.expect("is read").len(), 1, "there is no address");
        let asked = ground.take_asked();
        assert!(asked.len() > 15, "{}: {asked:#?}", ground.name());
        for statement in asked {
            let sql = statement.sql.clone();
            if !sql.trim_start().starts_with("SELECT") {
                continue;
            }
            for step in steps(&ground, statement).await {
                let walks = |table: &&&str| {
                    let scan = [format!("SCAN {table}"), format!("Seq Scan on {table}")];
                    let words = format!("{step} ");
                    scan.iter().any(|scan| words.contains(&format!("{scan} ")))
                };
                let walked = GROWING.iter().find(walks);
                assert!(walked.is_none(), "{}: {step}\n{sql}", ground.name());
            }
        }
        app.end().await.expect("ends");
    }
}

/// Stores followed accounts, of which three have unchecked events.
async fn load_followed(ground: &Ground, account: AccountId) {
    let series = if ground.backend() == DbBackend::Sqlite {
        "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 20000) SELECT n FROM s) AS s"
    } else {
        "generate_series(CAST(1 AS BIGINT), 20000) AS s(n)"
    };
    let columns = "status, posted, held, incoming, debt, balance_version, balance_at, entry_sequence, event_sequence, event_nonce, \
                   last_hash, last_at, lot_count, session_grace_millis";
    let insert = format!(
        "INSERT INTO account_state (account_id, {columns}, is_followed, unchecked_since) \
         SELECT 1000000 + n, {columns}, TRUE, CASE WHEN n % 5000 = 4999 AND n > 5000 THEN n END \
         FROM account_state CROSS JOIN {series} WHERE account_id = {}",
        account.number()
    );
    ground.load(&[insert, "ANALYZE account_state".to_owned()]).await;
}

/// For any number of followed accounts, an index finds those with unchecked events. It contains no others.
#[tokio::test]
async fn accounts_that_were_not_checked_are_found_by_an_index_of_them_alone() {
    for ground in Ground::each_with_plans().await {
        let (app, _directory, account) = started(&ground).await;
        load_followed(&ground, account).await;
        ground.take_asked();
        let found = app.services().troubleshooting.unchecked(10).await;
        let expected = [9_999, 14_999, 19_999].map(|n| AccountId::from_number(1_000_000 + n));
        assert_eq!(found.expect("is read"), expected);
        let asked = ground.take_asked();
        assert_eq!(asked.len(), 1, "{asked:#?}");
        for statement in asked {
            let (how, column) = if ground.backend() == DbBackend::Sqlite {
                ("EXPLAIN QUERY PLAN", 3)
            } else {
                ("EXPLAIN", 0)
            };
            let explained = Statement {
                sql: format!("{how} {}", statement.sql),
                ..statement
            };
            let rows = ground.database.read().query_all_raw(explained).await.expect("explains");
            let steps: Vec<String> = rows
                .iter()
                .map(|row| row.try_get_by_index(column).expect("a step"))
                .collect();
            assert!(
                steps[..].iter().any(|step| step.contains("account_state_unchecked")),
                "{}: {steps:?}",
                ground.name()
            );
            let sorts = steps
                .iter()
                .any(|step| step.contains("Sort") || step.contains("TEMP B-TREE"));
            let walks = steps.iter().any(|step| step.contains("Seq Scan"));
            assert!(!sorts && !walks, "{}: {steps:?}", ground.name());
        }
        app.end().await.expect("ends");
    }
}
