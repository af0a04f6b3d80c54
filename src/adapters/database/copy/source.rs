//! The source of a copy: a SQLite database that no other process can change.

use std::path::PathBuf;

use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;
use sea_orm::sqlx::sqlite::{SqliteConnection, SqliteRow};
use sea_orm::sqlx::{self, AssertSqlSafe, ConnectOptions as _, Connection as _};
use uuid::Uuid;

use super::super::backup::{damage, options_of, sqlite_file};
use super::super::schema::{APPLIED, compare_migrations};
use super::CopyError;
use super::rows::{Table, quoted};
use crate::adapters::lock_file::LockFile;

/// The code of SQLite's error about a lock that another process holds.
const BUSY: u32 = 5;

/// A SQLite database, locked in a transaction.
#[derive(Debug)]
pub(super) struct Source {
    connection: SqliteConnection,
    epoch: Uuid,
    /// Released after the transaction.
    _lock: LockFile,
}

impl Source {
    /// Locks the database at `url`, and checks it.
    pub(super) async fn lock(url: &str) -> Result<Self, CopyError> {
        let path = sqlite_file(url).ok_or(CopyError::NotFromSqlite)?;
        let path = std::fs::canonicalize(&path).map_err(|reason| CopyError::File { path, reason })?;
        let lock = LockFile::take_of(&path)?;
        let mut connection = options_of(&path).connect().await.map_err(CopyError::Source)?;
        sqlx::query("BEGIN IMMEDIATE")
            .execute(&mut connection)
            .await
            .map_err(busy)?;
        check_migrations(&mut connection, path).await?;
        if let Some(damage) = damage(&mut connection).await.map_err(CopyError::Source)? {
            return Err(CopyError::Damaged(damage));
        }
        let epoch = sqlx::query_scalar("SELECT epoch FROM installation")
            .fetch_optional(&mut connection)
            .await;
        let epoch = epoch.map_err(CopyError::Source)?.ok_or(CopyError::Unused)?;
        Ok(Self {
            connection,
            epoch,
            _lock: lock,
        })
    }

    /// The identity of the database.
    pub(super) fn epoch(&self) -> Uuid {
        self.epoch
    }

    /// Checks that the database has these tables with these columns. Returns its other tables.
    pub(super) async fn compare_tables(&mut self, tables: &[Table]) -> Result<Vec<String>, CopyError> {
        let of_both = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
                       AND name <> 'seaql_migrations' ORDER BY name";
        let names: Vec<String> = self.texts(of_both, None).await?;
        for table in tables {
            let mut found = self
                .texts("SELECT name FROM pragma_table_xinfo($1)", Some(&table.name))
                .await?;
            let mut expected: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
            found.sort_unstable();
            expected.sort_unstable();
            if found != expected {
                return Err(CopyError::Columns(table.name.clone()));
            }
        }
        let is_copied = |name: &String| tables.iter().any(|table| table.name == *name);
        Ok(names.into_iter().filter(|name| !is_copied(name)).collect())
    }

    async fn texts(&mut self, sql: &'static str, value: Option<&str>) -> Result<Vec<String>, CopyError> {
        let mut query = sqlx::query_scalar(sql);
        if let Some(value) = value {
            query = query.bind(value.to_owned());
        }
        query.fetch_all(&mut self.connection).await.map_err(CopyError::Source)
    }

    /// Returns the number of rows of these tables.
    pub(super) async fn count(&mut self, tables: &[Table]) -> Result<u64, CopyError> {
        let mut rows = 0;
        for table in tables {
            let sql = format!("SELECT COUNT(*) FROM {}", quoted(&table.name));
            let count = sqlx::query_scalar::<_, i64>(AssertSqlSafe(sql))
                .fetch_one(&mut self.connection)
                .await;
            rows += count.map_err(CopyError::Source)?.unsigned_abs();
        }
        Ok(rows)
    }

    /// Returns the rows of a table in the order of its key.
    pub(super) fn rows<'a>(&'a mut self, table: &'a Table) -> SourceRows<'a> {
        let (columns, name, order) = (table.column_list(), quoted(&table.name), table.order(" COLLATE BINARY"));
        let sql = format!("SELECT {columns} FROM {name} ORDER BY {order}");
        SourceRows {
            table,
            rows: sqlx::query(AssertSqlSafe(sql)).fetch(&mut self.connection),
            number: 0,
            line: Vec::new(),
        }
    }

    /// Ends the transaction, which has changed nothing, and releases the lock.
    pub(super) async fn release(mut self) -> Result<(), CopyError> {
        sqlx::query("ROLLBACK")
            .execute(&mut self.connection)
            .await
            .map_err(CopyError::Source)?;
        self.connection.close().await.map_err(CopyError::Source)
    }
}

fn busy(error: sqlx::Error) -> CopyError {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    let code = code.and_then(|code| code.parse::<u32>().ok());
    // The low byte is the kind of an error of SQLite.
    match code.map(|code| code & 0xff) {
        Some(BUSY) => CopyError::SourceBusy,
        _ => CopyError::Source(error),
    }
}

async fn check_migrations(connection: &mut SqliteConnection, path: PathBuf) -> Result<(), CopyError> {
    let applied: Vec<String> = match sqlx::query_scalar(APPLIED).fetch_all(connection).await {
        Ok(applied) => applied,
        Err(sqlx::Error::Database(error)) if error.message().contains("no such table") => Vec::new(),
        Err(error) => return Err(CopyError::Source(error)),
    };
    if applied.is_empty() {
        return Err(CopyError::Foreign(path));
    }
    match compare_migrations(&applied) {
        Ok(0) => Ok(()),
        Ok(missing) => Err(CopyError::Older(missing)),
        Err(error) => Err(CopyError::Schema { place: "source", error }),
    }
}

/// The rows of a table of the source, as lines.
pub(super) struct SourceRows<'a> {
    table: &'a Table,
    rows: BoxStream<'a, Result<SqliteRow, sqlx::Error>>,
    number: u64,
    line: Vec<u8>,
}

impl SourceRows<'_> {
    /// Returns the line of the next row.
    pub(super) async fn next(&mut self) -> Result<Option<&[u8]>, CopyError> {
        let Some(row) = self.rows.try_next().await.map_err(CopyError::Source)? else {
            return Ok(None);
        };
        self.number += 1;
        self.table.write_line(&row, self.number, &mut self.line)?;
        Ok(Some(&self.line))
    }
}
