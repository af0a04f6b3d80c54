//! SQL of the verification.

pub(super) mod statements;

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder, QueryResult, QuerySelect, Statement,
};
use uuid::Uuid;

use crate::domain::database::Transaction;
use crate::domain::fault::Fault;
use crate::primitives::ids::AccountId;

use super::anchor::Mark;
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

pub(super) async fn count_accounts(connection: &impl ConnectionTrait) -> Result<u64, Fault> {
    let sql = "SELECT COUNT(*) AS n FROM account_state";
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let row = connection.query_one_raw(statement).await?;
    let count: i64 = row.map_or(Ok(0), |row| row.try_get("", "n"))?;
    Ok(count.unsigned_abs())
}

/// Returns the last entries of the accounts after this one.
pub(super) async fn marks(connection: &impl ConnectionTrait, after: AccountId, limit: u32) -> Result<Vec<Mark>, Fault> {
    let sql = "SELECT s.account_id, e.sequence, e.hash FROM account_state AS s \
               JOIN credit_entry AS e ON e.account_id = s.account_id AND e.sequence = s.entry_sequence \
               WHERE s.account_id > $1 ORDER BY s.account_id LIMIT $2";
    let values = [after.number().into(), i64::from(limit).into()];
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    let rows = connection.query_all_raw(statement).await?;
    let marks = rows.iter().map(|row| {
        Ok(Mark {
            account_id: AccountId::from_number(row.try_get("", "account_id")?),
            sequence: row.try_get("", "sequence")?,
            hash: row.try_get("", "hash")?,
        })
    });
    marks.collect()
}

/// Returns the hash of an entry.
pub(super) async fn hash_of(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    sequence: i64,
) -> Result<Option<Vec<u8>>, Fault> {
    let sql = "SELECT hash FROM credit_entry WHERE account_id = $1 AND sequence = $2";
    let values = [account_id.number().into(), sequence.into()];
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    let row = connection.query_one_raw(statement).await?;
    Ok(row.map(|row| row.try_get("", "hash")).transpose()?)
}

/// Returns the next account numbers.
pub(super) async fn account_ids(
    connection: &impl ConnectionTrait,
    after: AccountId,
    limit: u64,
) -> Result<Vec<AccountId>, Fault> {
    use entity::account_state::{Column, Entity};
    let numbers: Vec<i64> = Entity::find()
        .select_only()
        .column(Column::AccountId)
        .filter(Column::AccountId.gt(after.number()))
        .order_by_asc(Column::AccountId)
        .limit(limit)
        .into_tuple()
        .all(connection)
        .await?;
    Ok(numbers.into_iter().map(AccountId::from_number).collect())
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
    let row = tx.query_one_raw(of_account(tx, account_id, sql)).await?;
    Ok(row.map_or(Ok(0), |row| row.try_get("", "figure"))?)
}

/// Returns the sum of the account's entries by contra account.
pub(super) async fn trial_balance(tx: &Transaction, account_id: AccountId) -> Result<Vec<(String, i64)>, Fault> {
    let sql =
        "SELECT contra, CAST(SUM(amount) AS BIGINT) AS amount FROM credit_entry WHERE account_id = $1 GROUP BY contra";
    let rows = tx.query_all_raw(of_account(tx, account_id, sql.to_owned())).await?;
    rows.iter()
        .map(|row| Ok((row.try_get("", "contra")?, row.try_get("", "amount")?)))
        .collect()
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
    let described = rows
        .iter()
        .map(|row| {
            Ok((
                key(check.row, row)?,
                row.try_get("", "expected")?,
                row.try_get("", "found")?,
            ))
        })
        .collect::<Result<Vec<_>, Fault>>()?;
    Ok(Found {
        rows: described,
        total: total(&rows)?,
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
    let rows = tx
        .query_all_raw(Statement::from_string(tx.get_database_backend(), sql))
        .await?;
    let described = rows
        .iter()
        .map(|row| {
            Ok(GlobalRow {
                account: row.try_get("", "id")?,
                expected: row.try_get("", "expected")?,
                found: row.try_get("", "found")?,
            })
        })
        .collect::<Result<Vec<_>, Fault>>()?;
    Ok(Found {
        rows: described,
        total: total(&rows)?,
    })
}

fn of_account(tx: &Transaction, account_id: AccountId, sql: String) -> Statement {
    Statement::from_sql_and_values(tx.get_database_backend(), sql, [account_id.number().into()])
}

fn total(rows: &[QueryResult]) -> Result<u64, Fault> {
    let total: i64 = rows.first().map_or(Ok(0), |row| row.try_get("", "total"))?;
    Ok(total.unsigned_abs())
}

fn key(kind: RowId, row: &QueryResult) -> Result<Key, Fault> {
    Ok(match kind {
        RowId::Public(_) | RowId::Internal => Key::Uuid(kind, row.try_get("", "id")?),
        RowId::Text => Key::Text(row.try_get("", "id")?),
        RowId::Number => Key::Number(row.try_get("", "id")?),
    })
}
