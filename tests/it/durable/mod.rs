//! Acknowledged data is stored, for any fault of the disk, the network or the process. Each test runs a server in a separate
//! process, causes faults, and checks with its own connection.
//!
//! Each test prints a line of the table in `docs/operating.md`. `LEDGERBELL_TEST_KILLS` is the number of times a server is killed.

mod anchor;
#[cfg(unix)]
mod clock;
mod full_disk;
#[cfg(unix)]
mod io_faults;
mod killed;
mod killed_webhooks;
#[cfg(unix)]
mod liveness;
mod log;
mod mute;
mod one_server;
mod pooler;
mod process;
#[cfg(unix)]
mod shim;
mod workers;

use std::collections::HashSet;

use sea_orm::{ConnectionTrait as _, Statement};

/// Returns the keys of stored grants.
async fn stored(url: &str) -> HashSet<String> {
    let database = sea_orm::Database::connect(url).await.expect("opens");
    let sql = "SELECT k.key FROM idempotency_key AS k JOIN credit_entry AS e ON e.account_id = k.account_id AND e.id = k.entry_id";
    let statement = Statement::from_string(database.get_database_backend(), sql);
    let rows = database.query_all_raw(statement).await.expect("reads");
    let keys = rows.iter().map(|row| row.try_get("", "key").expect("a key")).collect();
    database.close().await.expect("closes");
    keys
}

/// Fails unless all of these are stored. Prints the line of the table.
async fn check(fault: &str, url: &str, acknowledged: &HashSet<String>, rest: &str) {
    let found = stored(url).await;
    let lost: Vec<_> = acknowledged.difference(&found).collect();
    assert!(
        lost.is_empty(),
        "{fault}: {} acknowledged and lost, such as {:?}",
        lost.len(),
        lost.first()
    );
    let kind = if url.starts_with("sqlite") {
        "SQLite"
    } else {
        "Postgres"
    };
    eprintln!(
        "| {fault} | {kind} | {} | {} | {rest} |",
        acknowledged.len(),
        found.len()
    );
}
