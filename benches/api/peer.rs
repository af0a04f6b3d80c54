//! The comparison: `pgbench` writes the rows of one posting to the same tables, in one plain transaction each.

use std::io::Write;
use std::process::Command;

use ledgerbell::adapters::database;
use sea_orm::ConnectionTrait;

/// The statements of one posting in a simple implementation: lock the account's row, look up the key, find the lot. Then insert
/// one row each into entry, movement, event and key, and update the lot and the account.
const TRANSACTION: &str = r"
\set account random(1, :accounts)
BEGIN;
SELECT entry_sequence AS entry, event_sequence AS event, posted FROM account_state WHERE account_id = :account FOR UPDATE \gset
SELECT digest FROM idempotency_key WHERE account_id = :account AND origin = 'PLATFORM' AND key = 'k' || :entry;
SELECT id AS lot, remaining FROM credit_lot WHERE account_id = :account AND remaining > 0 ORDER BY priority, expires_at NULLS LAST, created_at, id LIMIT 1 \gset
SELECT gen_random_uuid() AS new_id \gset
INSERT INTO credit_entry (account_id, sequence, id, occurred_at, kind, contra, amount, balance_after, description, actor_kind, taken_back, search_text, hash_version, hash) VALUES (:account, :entry + 1, CAST(:new_id AS uuid), 1700000000000, 'ADJUSTMENT', 'ADJUSTMENTS', -1, CAST(:posted AS bigint) - 1, 'Bench', 'SYSTEM', 0, ' bench', 1, sha256('x'));
INSERT INTO lot_movement (account_id, entry_id, ordinal, lot_id, amount, returned) VALUES (:account, CAST(:new_id AS uuid), 0, CAST(:lot AS uuid), -1, 0);
UPDATE credit_lot SET remaining = remaining - 1 WHERE account_id = :account AND id = CAST(:lot AS uuid);
INSERT INTO event (account_id, sequence, nonce, kind, occurred_at, entry_id) VALUES (:account, :event + 1, 1, 'CREDIT_ENTRY_POSTED', 1700000000000, CAST(:new_id AS uuid));
INSERT INTO idempotency_key (account_id, origin, key, digest, operation, entry_id, created_at) VALUES (:account, 'PLATFORM', 'k' || :entry, sha256('x'), 'adjustCredits', CAST(:new_id AS uuid), 1700000000000);
UPDATE account_state SET posted = posted - 1, entry_sequence = entry_sequence + 1, event_sequence = event_sequence + 1, balance_version = balance_version + 1 WHERE account_id = :account;
COMMIT;
";

/// Two empty databases of this bench on the given server.
pub(crate) struct Databases {
    admin: String,
    pub(crate) ours: String,
    theirs: String,
}

impl Databases {
    pub(crate) async fn create(admin: &str) -> Option<Self> {
        let named = |name: &str| {
            let (server, query) = admin
                .split_once('?')
                .map_or((admin, ""), |(server, query)| (server, query));
            let (server, _) = server.rsplit_once('/')?;
            let query = if query.is_empty() {
                String::new()
            } else {
                format!("?{query}")
            };
            Some(format!("{server}/{name}{query}"))
        };
        let databases = Self {
            admin: admin.to_owned(),
            ours: named("ledgerbell_bench")?,
            theirs: named("ledgerbell_bench_peer")?,
        };
        databases.drop().await;
        let connection = database::open(admin, database::OpenOptions::default()).await.ok()?;
        for name in ["ledgerbell_bench", "ledgerbell_bench_peer"] {
            connection
                .read()
                .execute_unprepared(&format!("CREATE DATABASE {name}"))
                .await
                .ok()?;
        }
        Some(databases)
    }

    pub(crate) async fn drop(&self) {
        if let Ok(connection) = database::open(&self.admin, database::OpenOptions::default()).await {
            for name in ["ledgerbell_bench", "ledgerbell_bench_peer"] {
                let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                if let Err(error) = connection.read().execute_unprepared(&statement).await {
                    println!("{name} is left behind: {error}");
                }
            }
        }
    }
}

pub(crate) struct Peer {
    url: String,
    script: tempfile::NamedTempFile,
}

/// Creates the same schema with `accounts` accounts, each with a lot. Returns `None` without `pgbench`.
pub(crate) async fn prepare(databases: &Databases, accounts: usize) -> Option<Peer> {
    Command::new("pgbench").arg("--version").output().ok()?;
    let connection = database::open(&databases.theirs, database::OpenOptions::default())
        .await
        .ok()?;
    database::migrate(&connection).await.ok()?;
    for statement in [
        format!(
            "INSERT INTO account_state (account_id, status, posted, held, incoming, debt, balance_version, balance_at, \
             entry_sequence, event_sequence, event_nonce, last_hash, last_at, lot_count, session_grace_millis) \
             SELECT n, 'ACTIVE', 10000000000, 0, 0, 0, 0, 0, 0, 0, 0, sha256('x'), 0, 1, 0 FROM generate_series(1, {accounts}) n"
        ),
        format!(
            "INSERT INTO credit_lot (account_id, id, kind, granted, remaining, priority, created_at, entry_id) \
             SELECT n, gen_random_uuid(), 'PAID', 10000000000, 10000000000, 0, 0, gen_random_uuid() \
             FROM generate_series(1, {accounts}) n"
        ),
        "ANALYZE".to_owned(),
    ] {
        if let Err(error) = connection.read().execute_unprepared(&statement).await {
            println!("the peer cannot be prepared: {error}");
            return None;
        }
    }
    let mut script = tempfile::NamedTempFile::new().ok()?;
    script.write_all(TRANSACTION.as_bytes()).ok()?;
    Some(Peer {
        url: databases.theirs.clone(),
        script,
    })
}

impl Peer {
    /// Returns transactions per second with prepared statements.
    pub(crate) fn rate(&self, accounts: usize, clients: usize, seconds: u64) -> Option<f64> {
        let output = Command::new("pgbench")
            .args(["--no-vacuum", "--protocol=prepared", "--jobs=2"])
            // The same as our server on the same machine, unless the URL requires encryption.
            .env("PGSSLMODE", "disable")
            .arg(format!("--define=accounts={accounts}"))
            .arg(format!("--client={clients}"))
            .arg(format!("--time={seconds}"))
            .arg("--file")
            .arg(self.script.path())
            .arg(&self.url)
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let rate = text.lines().find_map(|line| line.strip_prefix("tps = "));
        if rate.is_none() {
            let said = String::from_utf8_lossy(&output.stderr);
            println!(
                "pgbench failed: {}",
                said.lines().find(|line| line.contains("ERROR")).unwrap_or(&said)
            );
        }
        rate?.split_whitespace().next()?.parse().ok()
    }
}
