//! SQL of the verification.

pub(super) mod statements;

use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Statement};
use uuid::Uuid;

use crate::domain::database::Transaction;
use crate::domain::database::records::{self, Fields};
use crate::domain::fault::Fault;
use crate::primitives::ids::AccountId;

use super::anchor::Mark;
use super::checkpoint::Verified;
use statements::{Check, RowId};

pub(super) use entity::account_state::Model as HeaderRow;
pub(super) use entity::credit_entry::Model as EntryRow;

/// The human-readable name of a row.
pub(super) enum Key {
    Uuid(RowId, Uuid),
    Text(String),
    Number(i64),
}

/// Violations of one check: the first ones, and their total number.
pub(super) struct Found<T> {
    pub(super) rows: Vec<T>,
    pub(super) total: u64,
}

/// A violation that concerns an account as a whole.
pub(super) struct GlobalRow {
    pub(super) account: i64,
    pub(super) expected: i64,
    pub(super) found: i64,
}

/// Removes the time limits of statements. Verification reads everything, so it is slow.
pub(super) async fn take_all_the_time_needed(tx: &Transaction) -> Result<(), Fault> {
    if tx.get_database_backend() == DbBackend::Postgres {
        tx.execute_unprepared("SET LOCAL statement_timeout = 0").await?;
    }
    Ok(())
}

/// Returns the identity of the database, if a server has used it.
pub(super) async fn epoch(connection: &impl ConnectionTrait) -> Result<Option<Uuid>, Fault> {
    records::value(connection, "SELECT epoch FROM installation", []).await
}

pub(super) async fn count_accounts(connection: &impl ConnectionTrait) -> Result<u64, Fault> {
    let count: Option<i64> = records::value(connection, "SELECT COUNT(*) FROM account_state", []).await?;
    Ok(count.unwrap_or(0).unsigned_abs())
}

/// Returns the last entries of the accounts after this one.
pub(super) async fn marks(connection: &impl ConnectionTrait, after: AccountId, limit: u32) -> Result<Vec<Mark>, Fault> {
    let sql = "SELECT s.account_id, e.sequence, e.hash FROM account_state AS s \
               JOIN credit_entry AS e ON e.account_id = s.account_id AND e.sequence = s.entry_sequence \
               WHERE s.account_id > $1 ORDER BY s.account_id LIMIT $2";
    records::all(connection, sql, [after.into(), i64::from(limit).into()]).await
}

/// Returns the hash of an entry.
pub(super) async fn hash_of(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    sequence: i64,
) -> Result<Option<Vec<u8>>, Fault> {
    let sql = "SELECT hash FROM credit_entry WHERE account_id = $1 AND sequence = $2";
    records::value(connection, sql, [account_id.into(), sequence.into()]).await
}

/// Whether the account lacks the last entry of a checkpoint, or has another one in its place.
pub(super) async fn lacks(tx: &Transaction, account_id: AccountId, since: &Verified) -> Result<bool, Fault> {
    if since.sequence == 0 {
        return Ok(false);
    }
    let found = hash_of(tx, account_id, since.sequence).await?;
    Ok(found.as_deref() != Some(&since.hash[..]))
}

/// Returns the next account numbers.
pub(super) async fn account_ids(
    connection: &impl ConnectionTrait,
    after: AccountId,
    limit: u64,
) -> Result<Vec<AccountId>, Fault> {
    let sql = "SELECT account_id FROM account_state WHERE account_id > $1 ORDER BY account_id LIMIT $2";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    records::values(connection, sql, [after.into(), limit.into()]).await
}

pub(super) async fn header(tx: &Transaction, account_id: AccountId) -> Result<Option<HeaderRow>, Fault> {
    Ok(entity::account_state::Entity::find_by_id(account_id.number())
        .one(tx)
        .await?)
}

/// Returns the next entries by number.
pub(super) async fn entries(
    tx: &Transaction,
    account_id: AccountId,
    after: i64,
    limit: u64,
) -> Result<Vec<EntryRow>, Fault> {
    use entity::credit_entry::{Column, Entity};
    Ok(Entity::find()
        .filter(Column::AccountId.eq(account_id.number()))
        .filter(Column::Sequence.gt(after))
        .order_by_asc(Column::Sequence)
        .limit(limit)
        .all(tx)
        .await?)
}

/// Returns one number about the account.
pub(super) async fn figure(tx: &Transaction, account_id: AccountId, sql: &str) -> Result<i64, Fault> {
    let sql = format!("SELECT CAST(COALESCE(({sql}), 0) AS BIGINT) AS figure");
    Ok(records::value(tx, sql, [account_id.into()]).await?.unwrap_or(0))
}

/// Returns the sum of the account's entries by contra account.
pub(super) async fn trial_balance(tx: &Transaction, account_id: AccountId) -> Result<Vec<(String, i64)>, Fault> {
    let sql =
        "SELECT contra, CAST(SUM(amount) AS BIGINT) AS amount FROM credit_entry WHERE account_id = $1 GROUP BY contra";
    records::values(tx, sql, [account_id.into()]).await
}

/// Returns the rows of the account that a check finds wrong.
pub(super) async fn violations(
    tx: &Transaction,
    account_id: AccountId,
    check: &Check,
    limit: usize,
) -> Result<Found<(Key, i64, i64)>, Fault> {
    let sql = format!(
        "SELECT id, CAST(expected AS BIGINT) AS expected, CAST(found AS BIGINT) AS found, COUNT(*) OVER () AS total \
         FROM ({}) AS violations LIMIT {limit}",
        check.sql
    );
    let rows = tx.query_all_raw(of_account(tx, account_id, sql)).await?;
    let described = rows.iter().map(|row| {
        let mut fields = Fields::of(row);
        Ok((
            key(check.row, &mut fields)?,
            fields.next()?,
            fields.next()?,
            fields.next()?,
        ))
    });
    let described: Vec<(Key, i64, i64, i64)> = described.collect::<Result<_, Fault>>()?;
    Ok(Found {
        total: described.first().map_or(0, |row| row.3.unsigned_abs()),
        rows: described
            .into_iter()
            .map(|(key, expected, found, _)| (key, expected, found))
            .collect(),
    })
}

/// Returns the accounts that a check over all accounts finds wrong.
pub(super) async fn global_violations(
    tx: &Transaction,
    check: &Check,
    limit: usize,
) -> Result<Found<GlobalRow>, Fault> {
    let sql = format!(
        "SELECT id, CAST(expected AS BIGINT) AS expected, CAST(found AS BIGINT) AS found, COUNT(*) OVER () AS total \
         FROM ({}) AS violations LIMIT {limit}",
        check.sql
    );
    take_all_the_time_needed(tx).await?;
    let rows: Vec<(i64, i64, i64, i64)> = records::values(tx, sql, []).await?;
    let described = rows.iter().map(|(account, expected, found, _)| GlobalRow {
        account: *account,
        expected: *expected,
        found: *found,
    });
    Ok(Found {
        rows: described.collect(),
        total: rows.first().map_or(0, |row| row.3.unsigned_abs()),
    })
}

fn of_account(tx: &Transaction, account_id: AccountId, sql: String) -> Statement {
    Statement::from_sql_and_values(tx.get_database_backend(), sql, [account_id.number().into()])
}

fn key(kind: RowId, fields: &mut Fields<'_>) -> Result<Key, Fault> {
    Ok(match kind {
        RowId::Public(_) | RowId::Internal => Key::Uuid(kind, fields.next()?),
        RowId::Text => Key::Text(fields.next()?),
        RowId::Number => Key::Number(fields.next()?),
    })
}
