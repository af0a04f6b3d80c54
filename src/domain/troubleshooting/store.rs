//! Reads the input of the rules: the snapshots of other modules, and the figures of sessions.

use std::collections::HashMap;
use std::sync::Arc;

use entity::{account_finding, troubleshooting_place};
use sea_orm::{ConnectionTrait, Statement, Value};

use crate::domain::database::bulk::{Record, Rows};
use crate::domain::database::records::{self, FromRow, column_list, columns_of};
use crate::domain::database::select::{Condition, Select};
use crate::domain::database::{Database, Transaction};
use crate::domain::fault::Fault;
use crate::domain::ledger::sessions::{PROCESSING_TIMES, usual_processing_millis};
use crate::domain::ledger::{EventReader, begin_following, figures, mark_read, unchecked_accounts};
use crate::domain::notification::recipient_snapshot;
use crate::domain::top_up::AutoTopUps;
use crate::primitives::clock::{DAY, Timestamp};
use crate::primitives::ids::AccountId;

use super::last_findings::{Check, LastFindings};
use super::model::{OpenSession, SessionFigures, Snapshot, typical};

/// Age of the oldest session that counts for the typical one: 90 days.
const TYPICAL_MILLIS: i64 = 90 * DAY;
/// Maximum sessions that count for the typical one, the newest first.
const MOST_TYPICAL: i64 = 1_000;
/// Maximum sessions that are counted as over and not resolved.
const MOST_PROCESSING: usize = 1_000;

/// Reads everything about an account at one instant. `None` when there is no such account.
pub(super) async fn snapshot(
    tx: &Transaction,
    auto_top_ups: &AutoTopUps,
    account_id: AccountId,
    now: Timestamp,
) -> Result<Option<Snapshot>, Fault> {
    let Some(account) = figures(tx, account_id).await? else {
        return Ok(None);
    };
    Ok(Some(Snapshot {
        now,
        purchases: auto_top_ups.snapshot(tx, &account, now).await?,
        sessions: session_figures(tx, account_id, now).await?,
        recipients: recipient_snapshot(tx, account_id, now).await?,
        account,
    }))
}

async fn session_figures(tx: &Transaction, account_id: AccountId, now: Timestamp) -> Result<SessionFigures, Fault> {
    // The booked amount is what the account needed, for any result of the session.
    let booked = "SELECT booked FROM session WHERE account_id = $1 AND booked_at > $2 ORDER BY booked_at DESC LIMIT $3";
    let since = now.plus_millis(-TYPICAL_MILLIS);
    let booked = records::values(tx, booked, [account_id.into(), since.into(), MOST_TYPICAL.into()]).await?;
    let taken = records::values(tx, PROCESSING_TIMES, [account_id.into()]).await?;
    let over = "SELECT id, ends_at, held FROM session WHERE account_id = $1 AND status = 'BOOKED' AND ends_at <= $2 \
                ORDER BY ends_at LIMIT $3";
    let one_more = i64::try_from(MOST_PROCESSING + 1).unwrap_or(i64::MAX);
    let mut processing: Vec<OpenSession> =
        records::all(tx, over, [account_id.into(), now.into(), one_more.into()]).await?;
    let has_more = processing.len() > MOST_PROCESSING;
    processing.truncate(MOST_PROCESSING);
    let next = "SELECT MIN(ends_at) FROM session WHERE account_id = $1 AND status = 'BOOKED' AND ends_at > $2";
    let next: Option<Option<Timestamp>> = records::value(tx, next, [account_id.into(), now.into()]).await?;
    Ok(SessionFigures {
        typical: typical(booked),
        usual_processing_millis: usual_processing_millis(taken),
        processing,
        has_more,
        next_end: next.flatten(),
    })
}

#[derive(Record)]
struct Listed {
    account_id: AccountId,
}

/// The checkpoint of an account, and what was found there.
#[derive(Clone, Debug, PartialEq, Eq, Record, FromRow)]
pub(super) struct Checkpoint {
    /// Number of the last event that was checked.
    pub(super) sequence: i64,
    /// Fingerprint of the findings.
    pub(super) fingerprint: Vec<u8>,
    /// When time alone may change the findings.
    pub(super) due_at: Option<Timestamp>,
}

/// Starts to watch an account. Its earlier findings are unknown, so the first check reports a change.
pub(super) async fn follow(database: &Database, account_id: AccountId) -> Result<(), Fault> {
    if checkpoint(database.read(), account_id).await?.is_some() {
        return Ok(());
    }
    let insert = move |tx: &Transaction| {
        let sql = "INSERT INTO troubleshooting_place (account_id, sequence, fingerprint) \
                   SELECT account_id, 0, $2 FROM account_state WHERE account_id = $1 ON CONFLICT (account_id) DO NOTHING";
        let values: [Value; 2] = [account_id.number().into(), Vec::<u8>::new().into()];
        Statement::from_sql_and_values(tx.get_database_backend(), sql, values)
    };
    database
        .transaction(move |tx| {
            Box::pin(async move {
                // Locks the account first, as every change of an account does.
                begin_following(tx, account_id).await?;
                tx.execute_raw(insert(tx)).await?;
                Ok(())
            })
        })
        .await
}

/// Returns those of these accounts that are watched.
pub(super) async fn followed(database: &Database, accounts: &[AccountId]) -> Result<Vec<AccountId>, Fault> {
    if accounts.is_empty() {
        return Ok(Vec::new());
    }
    let mut select = Select::across(database, "SELECT account_id FROM troubleshooting_place WHERE ");
    select.condition(&Condition::Accounts("account_id", accounts.to_vec()));
    select.values(database).await
}

/// An account that is watched.
#[derive(Clone, Debug, FromRow)]
pub(super) struct Followed {
    /// Number of its last event.
    pub(super) last_event: i64,
    /// Whether it is marked as having unchecked events.
    pub(super) is_unchecked: bool,
    /// Its checkpoint.
    #[record(flatten)]
    pub(super) checkpoint: Checkpoint,
}

/// Reads the checkpoint of an account. `None` when no client has ever followed it.
pub(super) async fn checkpoint(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
) -> Result<Option<Followed>, Fault> {
    let sql = format!(
        "SELECT s.event_sequence, s.unchecked_since IS NOT NULL, {} FROM account_state s \
         JOIN troubleshooting_place p ON p.account_id = s.account_id WHERE s.account_id = $1",
        columns_of::<Checkpoint>("p")
    );
    records::one(connection, sql, [account_id.into()]).await
}

/// Stores the checkpoint of an account without its lock. The account counts as checked unless it has later events.
pub(super) async fn keep_checkpoint(
    tx: &Transaction,
    account_id: AccountId,
    checkpoint: &Checkpoint,
) -> Result<(), Fault> {
    save_checkpoint(tx, account_id, checkpoint).await?;
    mark_read(tx, EventReader::Findings, &[(account_id, checkpoint.sequence)]).await
}

/// Stores the checkpoint of an account, unless another process has stored a later one.
pub(super) async fn save_checkpoint(
    tx: &Transaction,
    account_id: AccountId,
    checkpoint: &Checkpoint,
) -> Result<(), Fault> {
    let is_later = "troubleshooting_place.sequence <= excluded.sequence";
    records::save_if::<troubleshooting_place::Entity>(tx, &(account_id, checkpoint), is_later).await
}

/// Returns accounts whose scheduled time has come, the earliest first.
pub(super) async fn due(database: &Database, now: Timestamp, limit: u32) -> Result<Vec<AccountId>, Fault> {
    let sql = "SELECT account_id FROM troubleshooting_place WHERE due_at <= $1 ORDER BY due_at, account_id LIMIT $2";
    records::values(database.read(), sql, [now.into(), i64::from(limit).into()]).await
}

/// Returns accounts with events that were not checked, the longest first.
pub(super) async fn unchecked(database: &Database, limit: u32) -> Result<Vec<AccountId>, Fault> {
    unchecked_accounts(database.read(), limit).await
}

/// Returns the numbers of the last check. Accounts that were never checked are left out.
pub(super) async fn last_findings(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<HashMap<AccountId, LastFindings>, Fault> {
    if accounts.is_empty() {
        return Ok(HashMap::new());
    }
    let columns = column_list::<(AccountId, LastFindings)>();
    let mut select = Select::across(
        connection,
        &format!("SELECT {columns} FROM account_finding WHERE checked_at > 0 AND "),
    );
    select.condition(&Condition::Accounts("account_id", accounts.to_vec()));
    let found: Vec<(AccountId, LastFindings)> = select.records(connection).await?;
    Ok(found.into_iter().collect())
}

/// Stores a check, unless a later one is stored.
pub(super) async fn save_check(tx: &Transaction, account_id: AccountId, check: &Check) -> Result<(), Fault> {
    let is_later = "account_finding.checked_at <= excluded.checked_at";
    records::save_if::<account_finding::Entity>(tx, &(account_id, check), is_later).await
}

/// Returns accounts that were created since then and are not among those that are checked in turn.
pub(super) async fn unlisted(database: &Database, since: Timestamp, limit: u32) -> Result<Vec<AccountId>, Fault> {
    let sql = "SELECT a.account_id FROM account AS a WHERE a.created_at >= $1 AND NOT EXISTS ( \
               SELECT 1 FROM account_finding AS f WHERE f.account_id = a.account_id) ORDER BY a.created_at, a.account_id LIMIT $2";
    records::values(database.read(), sql, [since.into(), i64::from(limit).into()]).await
}

/// Adds accounts to those that are checked in turn.
pub(super) async fn list_accounts(database: &Database, accounts: &[AccountId]) -> Result<(), Fault> {
    let rows = Arc::new(listed(accounts));
    database
        .transaction(move |tx| {
            let rows = Arc::clone(&rows);
            Box::pin(async move {
                let backend = tx.get_database_backend();
                let sql = format!(
                    "INSERT INTO account_finding (account_id, findings, checked_at) SELECT r.account_id, 0, 0 FROM {} \
                     WHERE true ON CONFLICT (account_id) DO NOTHING",
                    rows.relation(backend, 1)
                );
                tx.execute_raw(rows.statement(backend, sql)).await?;
                Ok(())
            })
        })
        .await
}

/// An account whose last check is old.
#[derive(Clone, Copy, Debug, FromRow)]
pub(super) struct OldCheck {
    pub(super) account_id: AccountId,
    pub(super) checked_at: Timestamp,
    /// Whether nothing has happened since that could change the findings.
    pub(super) is_right: bool,
}

/// Returns accounts that were last checked before then, the oldest check first.
pub(super) async fn checked_before(
    database: &Database,
    (before, now): (Timestamp, Timestamp),
    limit: u32,
) -> Result<Vec<OldCheck>, Fault> {
    let sql = "SELECT f.account_id, f.checked_at, COALESCE(f.checked_sequence = s.event_sequence AND f.due_at > $2, FALSE) \
               FROM account_finding AS f JOIN account_state AS s ON s.account_id = f.account_id WHERE f.checked_at <= $1 \
               ORDER BY f.checked_at, f.account_id LIMIT $3";
    records::all(
        database.read(),
        sql,
        [before.into(), now.into(), i64::from(limit).into()],
    )
    .await
}

/// Renews the time of checks that are still right, unless a later check is stored.
pub(super) async fn renew(
    database: &Database,
    accounts: &[AccountId],
    (before, now): (Timestamp, Timestamp),
) -> Result<(), Fault> {
    let accounts = Arc::new(accounts.to_vec());
    database
        .transaction(move |tx| {
            let accounts = Arc::clone(&accounts);
            Box::pin(async move {
                let mut update = Select::across(tx, "UPDATE account_finding SET checked_at = ");
                update.bind(now);
                update.push(" WHERE checked_at <= ");
                update.bind(before);
                update.push(" AND ");
                update.condition(&Condition::Accounts("account_id", accounts.to_vec()));
                update.execute(tx).await?;
                Ok(())
            })
        })
        .await
}

fn listed(accounts: &[AccountId]) -> Rows {
    Rows::of(accounts.iter().map(|account_id| Listed {
        account_id: *account_id,
    }))
}
