//! Query plans of findings.

use ledgerbell::app::App;
use ledgerbell::config::Settings;
use ledgerbell::domain::fault::Fault;
use ledgerbell::domain::member::{NewAccount, NewMember};
use ledgerbell::primitives::actor::{Actor, MemberRole};
use ledgerbell::primitives::clock::Clock;
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

#[tokio::test]
async fn every_statement_uses_an_index() {
    for ground in Ground::each().await {
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
        let account = app
            .services()
            .accounts
            .create(&Actor::System, new)
            .await
            .expect("an account");
        ground.take_asked();
        let found = app
            .services()
            .troubleshooting
            .findings(&Actor::System, account.id)
            .await;
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
