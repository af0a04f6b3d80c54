//! Reads and writes rows as structs. Their columns follow from their fields: see [`crate::primitives::record`].

use std::collections::HashMap;
use std::hash::Hash;

use sea_orm::sea_query::Alias;
use sea_orm::{
    ConnectionTrait, EntityTrait, QueryResult, QuerySelect, QueryTrait, Select, Statement, TryGetableMany, Value,
};

use super::bulk::{Record, Rows};
use crate::domain::fault::Fault;
pub(in crate::domain) use crate::primitives::record::{Fields, FromRow, column_list, columns_of};

/// Returns the records that a statement selects, in its order.
pub(in crate::domain) async fn all<R: FromRow>(
    connection: &impl ConnectionTrait,
    sql: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<R>, Fault> {
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    read(&connection.query_all_raw(statement).await?)
}

/// Returns the first record that a statement selects, if there is one.
pub(in crate::domain) async fn one<R: FromRow>(
    connection: &impl ConnectionTrait,
    sql: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
) -> Result<Option<R>, Fault> {
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    let row = connection.query_one_raw(statement).await?;
    Ok(row.as_ref().map(R::from_row).transpose()?)
}

/// Returns the values that a statement selects: of a single column, or of several as a tuple.
pub(in crate::domain) async fn values<T: TryGetableMany>(
    connection: &impl ConnectionTrait,
    sql: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<T>, Fault> {
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    tuples(&connection.query_all_raw(statement).await?)
}

/// As [`values`], of the first row, if there is one.
pub(in crate::domain) async fn value<T: TryGetableMany>(
    connection: &impl ConnectionTrait,
    sql: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
) -> Result<Option<T>, Fault> {
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    let row = connection.query_one_raw(statement).await?;
    Ok(row.map(|row| row.try_get_many_by_index()).transpose()?)
}

/// Returns the records that a query of the ORM finds. Their columns replace those of the entity.
pub(in crate::domain) async fn find<E: EntityTrait, R: Record + FromRow>(
    connection: &impl ConnectionTrait,
    query: Select<E>,
) -> Result<Vec<R>, Fault> {
    let mut query = query.select_only();
    let table = E::default();
    R::columns(&mut |name, _| {
        let column = (Alias::new(table.table_name()), Alias::new(name.into_owned()));
        QuerySelect::query(&mut query).column(column);
    });
    let statement = query.build(connection.get_database_backend());
    read(&connection.query_all_raw(statement).await?)
}

/// As [`find`], the first record, if there is one.
pub(in crate::domain) async fn find_one<E: EntityTrait, R: Record + FromRow>(
    connection: &impl ConnectionTrait,
    query: Select<E>,
) -> Result<Option<R>, Fault> {
    Ok(find(connection, query.limit(1)).await?.into_iter().next())
}

/// Reads a record from a row.
pub(in crate::domain) fn record<R: FromRow>(row: &QueryResult) -> Result<R, Fault> {
    Ok(R::from_row(row)?)
}

/// Reads a record from each row.
pub(in crate::domain) fn read<R: FromRow>(rows: &[QueryResult]) -> Result<Vec<R>, Fault> {
    rows.iter().map(|row| Ok(R::from_row(row)?)).collect()
}

/// Reads the values of each row.
pub(in crate::domain) fn tuples<T: TryGetableMany>(rows: &[QueryResult]) -> Result<Vec<T>, Fault> {
    rows.iter().map(|row| Ok(row.try_get_many_by_index()?)).collect()
}

/// Returns records by their id.
pub(in crate::domain) fn by_id<K: Eq + Hash, R>(records: Vec<R>, id: impl Fn(&R) -> K) -> HashMap<K, R> {
    records.into_iter().map(|record| (id(&record), record)).collect()
}

/// Inserts a row into the table of an entity, or replaces the row with the same primary key.
pub(in crate::domain) async fn save<E: EntityTrait>(
    tx: &impl ConnectionTrait,
    record: &impl Record,
) -> Result<(), Fault> {
    tx.execute_raw(Rows::of([record]).save::<E>(tx.get_database_backend(), ""))
        .await?;
    Ok(())
}

/// Does what [`save`] does, for any number of rows.
pub(in crate::domain) async fn save_all<E: EntityTrait>(tx: &impl ConnectionTrait, rows: &Rows) -> Result<(), Fault> {
    if !rows.is_empty() {
        tx.execute_raw(rows.save::<E>(tx.get_database_backend(), "")).await?;
    }
    Ok(())
}

/// Inserts any number of rows into the table of an entity.
pub(in crate::domain) async fn insert_all<E: EntityTrait>(tx: &impl ConnectionTrait, rows: &Rows) -> Result<(), Fault> {
    if !rows.is_empty() {
        tx.execute_raw(rows.insert_into::<E>(tx.get_database_backend())).await?;
    }
    Ok(())
}

/// As [`save`], but leaves the stored row unless `condition` is met.
pub(in crate::domain) async fn save_if<E: EntityTrait>(
    tx: &impl ConnectionTrait,
    record: &impl Record,
    condition: &str,
) -> Result<(), Fault> {
    let condition = format!(" WHERE {condition}");
    let statement = Rows::of([record]).save::<E>(tx.get_database_backend(), &condition);
    tx.execute_raw(statement).await?;
    Ok(())
}
