//! SQL of `account_state`: the one row of each account that every change locks.

use std::collections::HashMap;

use entity::account_state;
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::domain::database::Transaction;
use crate::domain::database::bulk::{Record, Rows};
use crate::domain::database::records::{self, column_list};
use crate::domain::database::scope::AccountScope;
use crate::domain::database::select::{Condition, Select, Source};
use crate::domain::database::writes::Writes;
use crate::domain::fault::Fault;
use crate::domain::ledger::model::AccountHeader;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::AccountId;

/// The figures as they are written. `due_at` is derived from the others.
#[derive(Record)]
struct HeaderRow<'a> {
    #[record(flatten)]
    header: &'a AccountHeader,
    due_at: Option<Timestamp>,
}

impl<'a> From<&'a AccountHeader> for HeaderRow<'a> {
    fn from(header: &'a AccountHeader) -> Self {
        Self {
            due_at: header.due_at(),
            header,
        }
    }
}

/// The events of an account that were read.
#[derive(Record)]
struct Read {
    account_id: AccountId,
    sequence: i64,
}

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
    selecting(tx, accounts, locking).records(tx).await
}

/// Reads figures without a lock, as of the last commit.
pub(in crate::domain::ledger) async fn headers(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<HashMap<AccountId, AccountHeader>, Fault> {
    let headers = selecting(connection, accounts, "").records(connection).await?;
    Ok(records::by_id(headers, |header: &AccountHeader| header.account_id))
}

/// Writes the figures of a new account.
pub(in crate::domain::ledger) async fn insert(tx: &Transaction, header: &AccountHeader) -> Result<(), Fault> {
    let rows = Rows::of([HeaderRow::from(header)]);
    records::insert_all::<account_state::Entity>(tx, &rows).await
}

/// Adds the figures of accounts that are locked.
pub(in crate::domain::ledger) fn update(writes: &mut Writes<'_>, headers: &[&AccountHeader]) {
    let rows = Rows::of(headers.iter().map(|header| HeaderRow::from(*header)));
    // An upsert uses the key whatever the planner estimates. The rows exist, because they are locked.
    writes.save_all::<account_state::Entity>(&rows);
}

/// Returns the next accounts by their numbers.
pub(in crate::domain::ledger) async fn accounts_after(
    connection: &impl ConnectionTrait,
    after: AccountId,
    limit: u32,
) -> Result<Vec<AccountId>, Fault> {
    let sql = "SELECT account_id FROM account_state WHERE account_id > $1 ORDER BY account_id LIMIT $2";
    records::values(connection, sql, [after.into(), i64::from(limit).into()]).await
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
    records::values(connection, sql, [i64::from(limit).into()]).await
}

/// Has an account's events checked for what is wrong from now on, those that there are as well.
pub(in crate::domain) async fn begin_following(tx: &Transaction, account_id: AccountId) -> Result<(), Fault> {
    let sql = "UPDATE account_state SET is_followed = TRUE, unchecked_since = COALESCE(unchecked_since, last_at) \
               WHERE account_id = $1 AND NOT is_followed";
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, [account_id.into()]);
    tx.execute_raw(statement).await?;
    Ok(())
}

/// Returns accounts with events that were not checked for what is wrong, the longest first.
pub(in crate::domain) async fn unchecked_accounts(
    connection: &impl ConnectionTrait,
    limit: u32,
) -> Result<Vec<AccountId>, Fault> {
    let sql = "SELECT account_id FROM account_state WHERE unchecked_since IS NOT NULL \
               ORDER BY unchecked_since, account_id LIMIT $1";
    records::values(connection, sql, [i64::from(limit).into()]).await
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
    let rows = Rows::of(read.iter().map(|(account_id, sequence)| Read {
        account_id: *account_id,
        sequence: *sequence,
    }));
    let backend = tx.get_database_backend();
    let mark = reader.mark();
    let sql = |scope: AccountScope, relation| {
        let (of_read, of_marked) = (scope.condition("t"), scope.condition("account_state"));
        let is_read =
            format!("t.account_id = r.account_id{of_read} AND t.event_sequence <= r.sequence AND t.{mark} IS NOT NULL");
        if backend == DbBackend::Sqlite {
            format!(
                "UPDATE account_state SET {mark} = NULL WHERE account_id IN (SELECT t.account_id FROM {relation} \
                 CROSS JOIN account_state AS t ON {is_read}){of_marked}"
            )
        } else {
            format!(
                "UPDATE account_state SET {mark} = NULL WHERE account_id = ANY(ARRAY(SELECT t.account_id FROM {relation} \
                 CROSS JOIN LATERAL (SELECT t.account_id FROM account_state AS t WHERE {is_read} OFFSET 0 FOR UPDATE SKIP LOCKED) AS t)){of_marked}"
            )
        }
    };
    AccountScope::execute(tx, &rows, sql).await
}

async fn accounts_by_time(
    connection: &impl ConnectionTrait,
    sql: &str,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<AccountId>, Fault> {
    records::values(connection, sql, [now.into(), i64::from(limit).into()]).await
}

fn selecting(source: &impl Source, accounts: &[AccountId], locking: &str) -> Select {
    let columns = column_list::<AccountHeader>();
    let mut select = Select::across(source, &format!("SELECT {columns} FROM account_state WHERE "));
    select
        .condition(&Condition::Accounts("account_id", accounts.to_vec()))
        .push(" ORDER BY account_id")
        .push(locking);
    select
}
