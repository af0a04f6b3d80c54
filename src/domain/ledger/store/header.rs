//! SQL of `account_state`: the one row of each account that every change locks.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement, Value};

use crate::domain::database::Transaction;
use crate::domain::database::bulk::{Columns, Kind, Rows};
use crate::domain::fault::Fault;
use crate::domain::ledger::model::{AccountHeader, AccountStatus};
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::AccountId;

use super::execute;
use super::fields::Fields;

const COLUMNS: Columns = &[
    ("account_id", Kind::BigInt),
    ("status", Kind::Text),
    ("halted_at", Kind::BigInt),
    ("halt_reason", Kind::Text),
    ("posted", Kind::BigInt),
    ("held", Kind::BigInt),
    ("incoming", Kind::BigInt),
    ("debt", Kind::BigInt),
    ("balance_version", Kind::BigInt),
    ("balance_at", Kind::BigInt),
    ("entry_sequence", Kind::BigInt),
    ("event_sequence", Kind::BigInt),
    ("event_nonce", Kind::BigInt),
    ("last_hash", Kind::Bytes),
    ("last_at", Kind::BigInt),
    ("lot_count", Kind::BigInt),
    ("session_grace_millis", Kind::BigInt),
    ("next_lot_expiry_at", Kind::BigInt),
    ("next_hold_expiry_at", Kind::BigInt),
    ("next_processing_at", Kind::BigInt),
    ("due_at", Kind::BigInt),
    ("low_mark", Kind::BigInt),
    ("low_since", Kind::BigInt),
    ("unread_since", Kind::BigInt),
    ("is_followed", Kind::Bool),
    ("unchecked_since", Kind::BigInt),
];

/// All columns except `due_at`, which is derived from the others.
const SELECT: &str = "SELECT account_id, status, halted_at, halt_reason, posted, held, incoming, debt, balance_version, \
    balance_at, entry_sequence, event_sequence, event_nonce, last_hash, last_at, lot_count, session_grace_millis, \
    next_lot_expiry_at, next_hold_expiry_at, next_processing_at, low_mark, low_since, unread_since, is_followed, \
    unchecked_since FROM account_state";

/// Locks accounts and reads their figures: the first statement of every transaction that changes anything of an account.
///
/// Locks in the order of the ids, so that two transactions never wait for each other in a cycle. An account that does not
/// exist is left out. SQLite has no row locks and needs none: the transaction holds its write lock from the beginning.
pub(in crate::domain::ledger) async fn lock(
    tx: &Transaction,
    accounts: &[AccountId],
) -> Result<Vec<AccountHeader>, Fault> {
    let backend = tx.get_database_backend();
    let locking = if backend == DbBackend::Sqlite {
        ""
    } else {
        " FOR UPDATE"
    };
    let statement = selecting(backend, accounts, locking);
    tx.query_all_raw(statement).await?.iter().map(header).collect()
}

/// Reads figures without a lock, as of the last commit.
pub(in crate::domain::ledger) async fn headers(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<HashMap<AccountId, AccountHeader>, Fault> {
    let statement = selecting(connection.get_database_backend(), accounts, "");
    let rows = connection.query_all_raw(statement).await?;
    rows.iter()
        .map(|row| header(row).map(|header| (header.account_id, header)))
        .collect()
}

/// Writes the figures of a new account.
pub(in crate::domain::ledger) async fn insert(tx: &Transaction, header: &AccountHeader) -> Result<(), Fault> {
    let rows = rows(&[header]);
    execute(tx, rows.insert(tx.get_database_backend(), "account_state", "")).await
}

/// Writes the figures of accounts that are locked.
pub(in crate::domain::ledger) async fn update(tx: &Transaction, headers: &[&AccountHeader]) -> Result<(), Fault> {
    let rows = rows(headers);
    if rows.is_empty() {
        return Ok(());
    }
    // An upsert uses the key whatever the planner estimates. The rows exist, because they are locked.
    let assignments: Vec<String> = COLUMNS[1..]
        .iter()
        .map(|(name, _)| format!("{name} = excluded.{name}"))
        .collect();
    let conflict = format!("ON CONFLICT (account_id) DO UPDATE SET {}", assignments.join(", "));
    execute(tx, rows.insert(tx.get_database_backend(), "account_state", &conflict)).await
}

/// Returns accounts that need the sweeper, the most overdue first.
pub(in crate::domain::ledger) async fn due_accounts(
    connection: &impl ConnectionTrait,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<AccountId>, Fault> {
    let sql = "SELECT account_id FROM account_state WHERE due_at <= $1 ORDER BY due_at, account_id LIMIT $2";
    accounts_by_time(connection, sql, now, limit).await
}

/// Returns accounts that have reached the watched level and were not checked since, the longest first.
pub(in crate::domain::ledger) async fn low_accounts(
    connection: &impl ConnectionTrait,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<AccountId>, Fault> {
    let sql = "SELECT account_id FROM account_state WHERE low_since <= $1 ORDER BY low_since, account_id LIMIT $2";
    accounts_by_time(connection, sql, now, limit).await
}

/// Returns accounts with unread events, the longest unread first.
pub(in crate::domain::ledger) async fn unread_accounts(
    connection: &impl ConnectionTrait,
    limit: u32,
) -> Result<Vec<AccountId>, Fault> {
    let sql = "SELECT account_id FROM account_state WHERE unread_since IS NOT NULL ORDER BY unread_since, account_id LIMIT $1";
    accounts(connection, sql, vec![i64::from(limit).into()]).await
}

/// Has an account's events checked for what is wrong from now on, those that there are as well.
pub(in crate::domain) async fn begin_following(tx: &Transaction, account_id: AccountId) -> Result<(), Fault> {
    let sql = "UPDATE account_state SET is_followed = TRUE, unchecked_since = COALESCE(unchecked_since, last_at) \
               WHERE account_id = $1 AND NOT is_followed";
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, [account_id.number().into()]);
    execute(tx, statement).await
}

/// Returns accounts with events that were not checked for what is wrong, the longest first.
pub(in crate::domain) async fn unchecked_accounts(
    connection: &impl ConnectionTrait,
    limit: u32,
) -> Result<Vec<AccountId>, Fault> {
    let sql = "SELECT account_id FROM account_state WHERE unchecked_since IS NOT NULL \
               ORDER BY unchecked_since, account_id LIMIT $1";
    accounts(connection, sql, vec![i64::from(limit).into()]).await
}

/// Who goes through the events of accounts, and is noted in their rows to have more to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::domain) enum EventReader {
    /// Raises alerts.
    Alerts,
    /// Checks for what is wrong.
    Findings,
}

impl EventReader {
    const fn mark(self) -> &'static str {
        match self {
            Self::Alerts => "unread_since",
            Self::Findings => "unchecked_since",
        }
    }
}

/// Notes of these accounts that their events up to these are read by one of the readers, unless there are more. It waits for no lock:
/// an account that is locked is left out.
pub(in crate::domain) async fn mark_read(
    tx: &Transaction,
    reader: EventReader,
    read: &[(AccountId, i64)],
) -> Result<(), Fault> {
    let mut rows = Rows::new(&[("account_id", Kind::BigInt), ("sequence", Kind::BigInt)]);
    for (account_id, sequence) in read {
        rows.push([account_id.number().into(), (*sequence).into()]);
    }
    if rows.is_empty() {
        return Ok(());
    }
    let backend = tx.get_database_backend();
    let relation = rows.relation(backend, 1);
    let mark = reader.mark();
    let is_read = format!("t.account_id = r.account_id AND t.event_sequence <= r.sequence AND t.{mark} IS NOT NULL");
    let sql = if backend == DbBackend::Sqlite {
        format!(
            "UPDATE account_state SET {mark} = NULL WHERE account_id IN (SELECT t.account_id FROM {relation} \
             CROSS JOIN account_state AS t ON {is_read})"
        )
    } else {
        format!(
            "UPDATE account_state SET {mark} = NULL WHERE account_id = ANY(ARRAY(SELECT t.account_id FROM {relation} \
             CROSS JOIN LATERAL (SELECT t.account_id FROM account_state AS t WHERE {is_read} OFFSET 0 FOR UPDATE SKIP LOCKED) AS t))"
        )
    };
    execute(tx, rows.statement(backend, sql)).await
}

async fn accounts_by_time(
    connection: &impl ConnectionTrait,
    sql: &str,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<AccountId>, Fault> {
    accounts(connection, sql, vec![now.millis().into(), i64::from(limit).into()]).await
}

async fn accounts(connection: &impl ConnectionTrait, sql: &str, values: Vec<Value>) -> Result<Vec<AccountId>, Fault> {
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    let rows = connection.query_all_raw(statement).await?;
    rows.iter()
        .map(|row| Fields::of(row).next().map(AccountId::from_number))
        .collect()
}

fn selecting(backend: DbBackend, accounts: &[AccountId], locking: &str) -> Statement {
    let numbers = accounts.iter().map(|account| account.number());
    let (condition, value): (&str, Value) = if let [account] = accounts {
        ("account_id = $1", account.number().into())
    } else if backend == DbBackend::Sqlite {
        let list: Vec<String> = numbers.map(|number| number.to_string()).collect();
        let list = format!("[{}]", list.join(","));
        ("account_id IN (SELECT value FROM json_each($1))", list.into())
    } else {
        ("account_id = ANY($1)", numbers.collect::<Vec<i64>>().into())
    };
    let sql = format!("{SELECT} WHERE {condition} ORDER BY account_id{locking}");
    Statement::from_sql_and_values(backend, sql, [value])
}

fn header(row: &QueryResult) -> Result<AccountHeader, Fault> {
    let mut fields = Fields::of(row);
    Ok(AccountHeader {
        account_id: fields.next().map(AccountId::from_number)?,
        status: fields.word(AccountStatus::from_text)?,
        halted_at: fields.optional_timestamp()?,
        halt_reason: fields.next()?,
        posted: fields.credits()?,
        held: fields.credits()?,
        incoming: fields.credits()?,
        debt: fields.credits()?,
        balance_version: fields.next()?,
        balance_at: fields.timestamp()?,
        entry_sequence: fields.next()?,
        event_sequence: fields.next()?,
        event_nonce: fields.next()?,
        last_hash: fields.hash()?,
        last_at: fields.timestamp()?,
        lot_count: fields.next()?,
        session_grace_millis: fields.next()?,
        next_lot_expiry_at: fields.optional_timestamp()?,
        next_hold_expiry_at: fields.optional_timestamp()?,
        next_processing_at: fields.optional_timestamp()?,
        low_mark: fields.next::<Option<i64>>()?.map(Credits::from_units),
        low_since: fields.optional_timestamp()?,
        unread_since: fields.optional_timestamp()?,
        is_followed: fields.next()?,
        unchecked_since: fields.optional_timestamp()?,
    })
}

fn rows(headers: &[&AccountHeader]) -> Rows {
    let mut rows = Rows::new(COLUMNS);
    for header in headers {
        rows.push([
            header.account_id.number().into(),
            header.status.as_str().into(),
            header.halted_at.map(Timestamp::millis).into(),
            header.halt_reason.as_deref().into(),
            header.posted.units().into(),
            header.held.units().into(),
            header.incoming.units().into(),
            header.debt.units().into(),
            header.balance_version.into(),
            header.balance_at.millis().into(),
            header.entry_sequence.into(),
            header.event_sequence.into(),
            header.event_nonce.into(),
            (&header.last_hash).into(),
            header.last_at.millis().into(),
            header.lot_count.into(),
            header.session_grace_millis.into(),
            header.next_lot_expiry_at.map(Timestamp::millis).into(),
            header.next_hold_expiry_at.map(Timestamp::millis).into(),
            header.next_processing_at.map(Timestamp::millis).into(),
            header.due_at().map(Timestamp::millis).into(),
            header.low_mark.map(Credits::units).into(),
            header.low_since.map(Timestamp::millis).into(),
            header.unread_since.map(Timestamp::millis).into(),
            header.is_followed.into(),
            header.unchecked_since.map(Timestamp::millis).into(),
        ]);
    }
    rows
}
