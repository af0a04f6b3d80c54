//! The comparison for postings on SQLite: the rows of one posting, and one commit for each, on one connection with prepared statements.
//!
//! `bare_commits FILE SECONDS` posts to the account in a file that `ledgerbell migrate` has made, and that has no accounts yet. The
//! settings of the connection are those of Ledgerbell. Prints the number of postings and the seconds.

#![allow(clippy::print_stdout, reason = "the script reads the result from there")]

use std::str::FromStr;
use std::time::{Duration, Instant};

use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{self, ConnectOptions, Connection};
use uuid::Uuid;

type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const ACCOUNT: &str = "
    INSERT INTO account_state (account_id, status, posted, added, held, incoming, debt, balance_version, balance_at, entry_sequence,
        event_sequence, event_nonce, last_hash, last_at, lot_count, session_grace_millis)
        VALUES (1, 'ACTIVE', 10000000000, 10000000000, 0, 0, 0, 0, 0, 0, 0, 0, zeroblob(32), 0, 1, 0);
    INSERT INTO credit_lot (account_id, id, kind, granted, remaining, priority, created_at, entry_id)
        VALUES (1, randomblob(16), 'PAID', 10000000000, 10000000000, 0, 0, randomblob(16));";

/// ?1 is the account, ?2 the id of the entry, ?3 the key, ?4 a hash, ?5 the time. All statements are prepared once.
const POSTING: &str = "
    BEGIN IMMEDIATE;
    INSERT INTO credit_entry (account_id, sequence, id, occurred_at, kind, contra, amount, balance_after, added_after, description,
        actor_kind, taken_back, search_text, hash_version, hash)
        SELECT account_id, entry_sequence + 1, ?2, ?5, 'ADJUSTMENT', 'ADJUSTMENTS', -1, posted - 1, added, 'Bench', 'SYSTEM', 0, ' bench', 1, ?4
        FROM account_state WHERE account_id = ?1;
    INSERT INTO lot_movement (account_id, entry_id, ordinal, lot_id, amount, returned)
        SELECT account_id, ?2, 0, id, -1, 0 FROM credit_lot WHERE account_id = ?1 AND remaining > 0
        ORDER BY priority, expires_at, created_at, id LIMIT 1;
    UPDATE credit_lot SET remaining = remaining - 1 WHERE account_id = ?1
        AND id = (SELECT lot_id FROM lot_movement WHERE account_id = ?1 AND entry_id = ?2 AND ordinal = 0);
    INSERT INTO event (account_id, sequence, nonce, kind, occurred_at, entry_id)
        SELECT account_id, event_sequence + 1, 1, 'CREDIT_ENTRY_POSTED', ?5, ?2 FROM account_state WHERE account_id = ?1;
    INSERT INTO idempotency_key (account_id, origin, key, digest, operation, entry_id, created_at)
        VALUES (?1, 'PLATFORM', ?3, ?4, 'adjustCredits', ?2, ?5);
    UPDATE account_state SET posted = posted - 1, entry_sequence = entry_sequence + 1, event_sequence = event_sequence + 1,
        balance_version = balance_version + 1, last_hash = ?4, last_at = ?5 WHERE account_id = ?1;
    COMMIT;";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Fallible<()> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("a file is expected")?;
    let time = Duration::from_secs_f64(f64::from_str(&arguments.next().ok_or("a time is expected")?)?);
    let mut connection = SqliteConnectOptions::new()
        .filename(file)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .pragma("cache_size", "-16000")
        .pragma("temp_store", "MEMORY")
        .connect()
        .await?;
    sqlx::raw_sql(ACCOUNT).execute(&mut connection).await?;
    post(&mut connection, 0).await?;
    let begun = Instant::now();
    let mut done = 0_u64;
    while begun.elapsed() < time {
        done += 1;
        post(&mut connection, done).await?;
    }
    println!("{{\"done\":{done},\"seconds\":{}}}", begun.elapsed().as_secs_f64());
    connection.close().await?;
    Ok(())
}

async fn post(connection: &mut SqliteConnection, number: u64) -> Fallible<()> {
    let hash = [7_u8; 32];
    sqlx::query(POSTING)
        .bind(1_i64)
        .bind(Uuid::now_v7())
        .bind(format!("bench-{number}"))
        .bind(&hash[..])
        .bind(1_700_000_000_000_i64)
        .execute(connection)
        .await?;
    Ok(())
}
