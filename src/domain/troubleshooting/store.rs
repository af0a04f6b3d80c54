//! Reads the input of the rules: the snapshots of other modules, and the figures of sessions.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::{ConnectionTrait, Statement, Value};

use crate::domain::database::bulk::{self, Columns, Kind, Rows};
use crate::domain::database::select::Row;
use crate::domain::database::{Database, Transaction};
use crate::domain::fault::Fault;
use crate::domain::ledger::credit_log::store::broken;
use crate::domain::ledger::sessions::{PROCESSING_TIMES, usual_processing_millis};
use crate::domain::ledger::{EventReader, begin_following, figures, mark_read, unchecked_accounts};
use crate::domain::notification::model::Severity;
use crate::domain::notification::recipient_snapshot;
use crate::domain::top_up::AutoTopUps;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, SessionId};

use super::last_findings::LastFindings;
use super::model::{OpenSession, SessionFigures, Snapshot, typical};

/// Age of the oldest session that counts for the typical one: 90 days.
const TYPICAL_MILLIS: i64 = 90 * 24 * 60 * 60 * 1_000;
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
    let number = Value::from(account_id.number());
    // The booked amount is what the account needed, for any result of the session.
    let booked = "SELECT booked FROM session WHERE account_id = $1 AND booked_at > $2 ORDER BY booked_at DESC LIMIT $3";
    let since = now.plus_millis(-TYPICAL_MILLIS).millis();
    let booked = rows(tx, booked, [number.clone(), since.into(), MOST_TYPICAL.into()]).await?;
    let booked: Result<Vec<i64>, _> = booked.iter().map(|row| row.try_get("", "booked")).collect();

    let taken = rows(tx, PROCESSING_TIMES, [number.clone()]).await?;

    let over = "SELECT id, ends_at, held FROM session WHERE account_id = $1 AND status = 'BOOKED' AND ends_at <= $2 \
                ORDER BY ends_at LIMIT $3";
    let one_more = i64::try_from(MOST_PROCESSING + 1).unwrap_or(i64::MAX);
    let over = rows(tx, over, [number.clone(), now.millis().into(), one_more.into()]).await?;
    let open = |row: &Row| {
        Ok::<_, Fault>(OpenSession {
            id: SessionId::from_uuid(row.try_get("", "id")?),
            ends_at: Timestamp::from_millis(row.try_get("", "ends_at")?),
            held: Credits::from_units(row.try_get("", "held")?),
        })
    };
    let mut processing: Vec<OpenSession> = over.iter().map(open).collect::<Result<_, _>>()?;
    let has_more = processing.len() > MOST_PROCESSING;
    processing.truncate(MOST_PROCESSING);

    let next =
        "SELECT MIN(ends_at) AS ends_at FROM session WHERE account_id = $1 AND status = 'BOOKED' AND ends_at > $2";
    let next = rows(tx, next, [number, now.millis().into()]).await?;
    let next = next.first().map(|row| row.try_get::<Option<i64>>("", "ends_at"));
    Ok(SessionFigures {
        typical: typical(booked?),
        usual_processing_millis: usual_processing_millis(&taken)?,
        processing,
        has_more,
        next_end: next.transpose()?.flatten().map(Timestamp::from_millis),
    })
}

async fn rows<const N: usize>(tx: &Transaction, sql: &str, values: [Value; N]) -> Result<Vec<Row>, Fault> {
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    Ok(tx.query_all_raw(statement).await?)
}

const ACCOUNTS: Columns = &[("account_id", Kind::BigInt)];

/// The checkpoint of an account, and what was found there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Number of the last event that was checked.
    pub(super) sequence: i64,
    /// Fingerprint of the findings.
    pub(super) fingerprint: Vec<u8>,
    /// When time alone may change the findings.
    pub(super) due_at: Option<Timestamp>,
}

/// Starts to watch an account. Its earlier findings are unknown, so the first check reports a change.
pub(super) async fn follow(database: &Database, account_id: AccountId) -> Result<(), Fault> {
    if place(database.read(), account_id).await?.is_some() {
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
    let rows = listed(accounts);
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let backend = database.backend();
    let probe = bulk::probe(backend, "troubleshooting_place", "");
    let sql = format!("SELECT t.account_id FROM {} {probe}", rows.relation(backend, 1));
    let rows = database.read().query_all_raw(rows.statement(backend, sql)).await?;
    rows.iter()
        .map(|row| Ok(AccountId::from_number(row.try_get("", "account_id")?)))
        .collect()
}

/// An account that is watched.
#[derive(Clone, Debug)]
pub(super) struct Followed {
    /// Number of its last event.
    pub(super) last_event: i64,
    /// Whether it is marked as having unchecked events.
    pub(super) is_unchecked: bool,
    /// Its checkpoint.
    pub(super) place: Place,
}

/// Reads the checkpoint of an account. `None` when no client has ever followed it.
pub(super) async fn place(connection: &impl ConnectionTrait, account_id: AccountId) -> Result<Option<Followed>, Fault> {
    let sql = "SELECT s.event_sequence, s.unchecked_since IS NOT NULL AS is_unchecked, p.sequence, p.fingerprint, p.due_at \
               FROM account_state s \
               JOIN troubleshooting_place p ON p.account_id = s.account_id WHERE s.account_id = $1";
    let values = [account_id.number().into()];
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    let Some(row) = connection.query_one_raw(statement).await? else {
        return Ok(None);
    };
    let place = Place {
        sequence: row.try_get("", "sequence")?,
        fingerprint: row.try_get("", "fingerprint")?,
        due_at: row.try_get::<Option<i64>>("", "due_at")?.map(Timestamp::from_millis),
    };
    Ok(Some(Followed {
        last_event: row.try_get("", "event_sequence")?,
        is_unchecked: row.try_get("", "is_unchecked")?,
        place,
    }))
}

/// Stores the checkpoint of an account without its lock. The account counts as checked unless it has later events.
pub(super) async fn keep_place(tx: &Transaction, account_id: AccountId, place: &Place) -> Result<(), Fault> {
    save_place(tx, account_id, place).await?;
    mark_read(tx, EventReader::Findings, &[(account_id, place.sequence)]).await
}

/// Stores the checkpoint of an account, unless another process has stored a later one.
pub(super) async fn save_place(tx: &Transaction, account_id: AccountId, place: &Place) -> Result<(), Fault> {
    let sql = "INSERT INTO troubleshooting_place (account_id, sequence, fingerprint, due_at) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (account_id) DO UPDATE SET sequence = excluded.sequence, fingerprint = excluded.fingerprint, \
               due_at = excluded.due_at WHERE troubleshooting_place.sequence <= excluded.sequence";
    let values: [Value; 4] = [
        account_id.number().into(),
        place.sequence.into(),
        place.fingerprint.clone().into(),
        place.due_at.map(Timestamp::millis).into(),
    ];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    tx.execute_raw(statement).await?;
    Ok(())
}

/// Returns accounts whose scheduled time has come, the earliest first.
pub(super) async fn due(database: &Database, now: Timestamp, limit: u32) -> Result<Vec<AccountId>, Fault> {
    let sql = "SELECT account_id FROM troubleshooting_place WHERE due_at <= $1 ORDER BY due_at, account_id LIMIT $2";
    account_ids(database, sql, [now.millis().into(), i64::from(limit).into()]).await
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
    let rows = listed(accounts);
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    let backend = connection.get_database_backend();
    let sql = format!(
        "SELECT f.account_id, f.findings, f.severity, f.checked_at FROM {} \
         JOIN account_finding AS f ON f.account_id = r.account_id WHERE f.checked_at > 0",
        rows.relation(backend, 1)
    );
    let rows = connection.query_all_raw(rows.statement(backend, sql)).await?;
    let read = |row: &Row| {
        let severity: Option<String> = row.try_get("", "severity")?;
        let known = |text: &String| Severity::from_text(text).ok_or_else(|| broken("severity"));
        let found = LastFindings {
            count: row.try_get("", "findings")?,
            severity: severity.as_ref().map(known).transpose()?,
            checked_at: Timestamp::from_millis(row.try_get("", "checked_at")?),
        };
        Ok((AccountId::from_number(row.try_get("", "account_id")?), found))
    };
    rows.iter().map(read).collect()
}

/// Stores the numbers of a check, unless a later one is stored.
pub(super) async fn save_last_findings(
    tx: &Transaction,
    account_id: AccountId,
    found: &LastFindings,
) -> Result<(), Fault> {
    let sql = "INSERT INTO account_finding (account_id, findings, severity, checked_at) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (account_id) DO UPDATE SET findings = excluded.findings, severity = excluded.severity, \
               checked_at = excluded.checked_at WHERE account_finding.checked_at <= excluded.checked_at";
    let values: [Value; 4] = [
        account_id.number().into(),
        found.count.into(),
        found.severity.map(Severity::as_str).into(),
        found.checked_at.millis().into(),
    ];
    tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values))
        .await?;
    Ok(())
}

/// Returns accounts that were created since then and are not among those that are checked in turn.
pub(super) async fn unlisted(database: &Database, since: Timestamp, limit: u32) -> Result<Vec<AccountId>, Fault> {
    let sql = "SELECT a.account_id FROM account AS a WHERE a.created_at >= $1 AND NOT EXISTS ( \
               SELECT 1 FROM account_finding AS f WHERE f.account_id = a.account_id) ORDER BY a.created_at, a.account_id LIMIT $2";
    account_ids(database, sql, [since.millis().into(), i64::from(limit).into()]).await
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

/// Returns accounts that were last checked before then, the oldest check first.
pub(super) async fn checked_before(
    database: &Database,
    before: Timestamp,
    limit: u32,
) -> Result<Vec<AccountId>, Fault> {
    let sql = "SELECT account_id FROM account_finding WHERE checked_at <= $1 ORDER BY checked_at, account_id LIMIT $2";
    account_ids(database, sql, [before.millis().into(), i64::from(limit).into()]).await
}

async fn account_ids(database: &Database, sql: &str, values: [Value; 2]) -> Result<Vec<AccountId>, Fault> {
    let statement = Statement::from_sql_and_values(database.backend(), sql, values);
    let rows = database.read().query_all_raw(statement).await?;
    rows.iter()
        .map(|row| Ok(AccountId::from_number(row.try_get("", "account_id")?)))
        .collect()
}

fn listed(accounts: &[AccountId]) -> Rows {
    let mut rows = Rows::new(ACCOUNTS);
    for account_id in accounts {
        rows.push([account_id.number().into()]);
    }
    rows
}
