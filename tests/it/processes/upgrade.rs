//! An upgrade without a pause: a newer version migrates the schema while processes of this one serve.

use std::sync::PoisonError;
use std::time::Instant;

use sea_orm::{ConnectionTrait as _, Statement};
use serde_json::Value;

use super::cluster::{Bus, Cluster};
use super::load::Load;
use crate::harness::postgres_server;

/// What a newer version adds. To every table, because a statement that names no columns would fail on one of them.
const NEWER: &str = "CREATE TABLE of_a_newer_version (account_id BIGINT PRIMARY KEY); \
    INSERT INTO seaql_migrations (version, applied_at) VALUES ('m99990101_000000_of_a_newer_version', 0)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_go_on_while_a_newer_version_adds_columns_and_tables_and_none_of_theirs_starts_after_it() {
    if postgres_server().is_none() {
        eprintln!("an upgrade without a pause needs Postgres: it runs with LEDGERBELL_TEST_DATABASE_URL");
        return;
    }
    let cluster = Cluster::start(Bus::Postgres).await.expect("it needs nothing else");
    let load = Load::prepare(&cluster).await;
    let mut clients = load.start();
    load.charge("before").await;
    load.until_posted_at(0, "before 0").await;
    load.until_posted_at(1, "before 1").await;

    let tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'seaql_migrations'";
    let statement = Statement::from_string(cluster.direct.get_database_backend(), tables);
    let rows = cluster.direct.query_all_raw(statement).await.expect("tables");
    assert!(rows.len() > 20, "{} tables", rows.len());
    let begun = Instant::now();
    for row in &rows {
        let table: String = row.try_get("", "tablename").expect("a name");
        // A table at a time, so that each is locked for a moment only.
        let add = format!("ALTER TABLE {table} ADD COLUMN of_a_newer_version TEXT");
        cluster.direct.execute_unprepared(&add).await.expect("added");
    }
    cluster.direct.execute_unprepared(NEWER).await.expect("migrated");
    eprintln!(
        "{} tables got a column under load in {} ms",
        rows.len(),
        begun.elapsed().as_millis()
    );

    for number in 0..20 {
        load.charge(&format!("after {number}")).await;
    }
    load.until_posted_at(0, "after 0").await;
    load.until_posted_at(1, "after 1").await;
    clients.check();
    for role in &cluster.roles {
        assert!(role.process().is_ready().await, "{}", role.name);
    }
    for command in [vec!["serve"], vec!["worker"], vec!["migrate"]] {
        let refused = cluster.refuse(&command);
        assert!(
            refused.contains("a newer version of ledgerbell has upgraded"),
            "{command:?}: {refused}"
        );
    }
    let seen = clients.finish(&load, &cluster).await;
    let completed = i64::try_from(seen.completed.len()).expect("a number");
    let alerts = "SELECT COUNT(*) AS count FROM alert WHERE kind = 'SESSION_CHARGED'";
    cluster
        .until_count(alerts, completed, std::time::Duration::from_secs(30))
        .await;
    // A statement that the new columns break would be answered by a fault, and its request sent again.
    let faults = load.faults.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert_eq!(faults, Vec::<Value>::new(), "nothing fails");
    for mut role in cluster.roles {
        let process = role.running.take().expect("it runs");
        assert!(process.terminate().await.0.success(), "{}", role.name);
    }
}
