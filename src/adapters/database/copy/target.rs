//! The target of a copy: a Postgres database that no server starts on.

use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use sea_orm::sqlx::postgres::PgConnection;
use sea_orm::sqlx::{self, AssertSqlSafe, ConnectOptions as _, Row as _};
use uuid::Uuid;

use super::super::distribution::{REFERENCES, in_order, pairs};
use super::super::schema::{APPLIED, UNFINISHED_COPY, compare_migrations, create_unfinished};
use super::super::{OpenOptions, are_one_session, connect_options, open};
use super::CopyError;
use super::rows::{Column, Kind, Table, quoted};

/// The id of the advisory lock for copies: an arbitrary number.
const COPY_LOCK: i64 = 0x6c65_6367_636f;
/// The settings of the session: no time limits, and bytes as [`Table::write_line`] writes them. The lock waits for the end of a copy
/// that was killed a moment ago.
const SETTINGS: &str = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET lock_timeout = '10s'; \
     SET bytea_output = 'hex'";

/// What a database contains that no extension has created.
const RELATIONS: &str = "SELECT c.relname::text FROM pg_class AS c WHERE c.relnamespace = current_schema()::regnamespace \
     AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') \
     AND NOT EXISTS (SELECT 1 FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') \
     ORDER BY c.relname";

/// The columns of all tables: table, column, type, and the position in the primary key, or -1.
const COLUMNS: &str = "SELECT t.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), \
         CAST(COALESCE(array_position(x.indkey::int2[], a.attnum), -1) AS integer) \
     FROM pg_class AS t JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped \
     LEFT JOIN pg_index AS x ON x.indrelid = t.oid AND x.indisprimary \
     WHERE t.relnamespace = current_schema()::regnamespace AND t.relkind IN ('r', 'p') AND t.relname <> 'seaql_migrations' \
     AND NOT EXISTS (SELECT 1 FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = t.oid AND d.deptype = 'e') \
     ORDER BY t.relname, a.attnum";

/// A Postgres database, locked for one copy.
#[derive(Debug)]
pub(super) struct Target {
    url: String,
    connection: PgConnection,
}

impl Target {
    /// Connects to the database at `url`, and locks it against other copies.
    pub(super) async fn open(url: &str) -> Result<Self, CopyError> {
        if !url.starts_with("postgres:") && !url.starts_with("postgresql:") {
            return Err(CopyError::NotToPostgres);
        }
        let mut connection = connect(url).await?;
        let mut other = connect(url).await?;
        if are_one_session(&mut connection, &mut other)
            .await
            .map_err(CopyError::Target)?
        {
            return Err(CopyError::Pooler);
        }
        sqlx::raw_sql(SETTINGS)
            .execute(&mut connection)
            .await
            .map_err(CopyError::Target)?;
        match sqlx::query("SELECT pg_advisory_lock($1)")
            .bind(COPY_LOCK)
            .execute(&mut connection)
            .await
        {
            Ok(_) => {}
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("55P03") => {
                return Err(CopyError::TargetBusy);
            }
            Err(error) => return Err(CopyError::Target(error)),
        }
        Ok(Self {
            url: url.to_owned(),
            connection,
        })
    }

    /// Creates the schema in an empty database. Accepts the schema of an unfinished copy of this source.
    pub(super) async fn begin(&mut self, epoch: Uuid) -> Result<(), CopyError> {
        let mark = mark(epoch);
        let relations = self.texts(RELATIONS).await?;
        let Some(first) = relations.first() else {
            let options = OpenOptions {
                max_connections: 2,
                ..OpenOptions::default()
            };
            let database = open(&self.url, options).await?;
            let created = create_unfinished(&database, &mark).await;
            database.close().await?;
            return Ok(created?);
        };
        if !relations.iter().any(|name| name == "seaql_migrations") {
            return Err(CopyError::NotEmpty(first.clone()));
        }
        let (marks, applied): (Vec<String>, Vec<String>) = self
            .texts(APPLIED)
            .await?
            .into_iter()
            .partition(|name| name.starts_with(UNFINISHED_COPY));
        match marks.as_slice() {
            [] => Err(CopyError::NotEmpty(first.clone())),
            [found] if *found == mark => match compare_migrations(&applied) {
                Ok(0) => Ok(()),
                _ => Err(CopyError::ByAnotherVersion),
            },
            _ => Err(CopyError::OfAnother),
        }
    }

    /// Returns all tables, each after those that it refers to.
    pub(super) async fn tables(&mut self) -> Result<Vec<Table>, CopyError> {
        let rows = sqlx::query(COLUMNS).fetch_all(&mut self.connection).await;
        let mut tables: Vec<Table> = Vec::new();
        for row in rows.map_err(CopyError::Target)? {
            let (table, name): (String, String) = (get(&row, 0)?, get(&row, 1)?);
            let (kind, position): (String, i32) = (get(&row, 2)?, get(&row, 3)?);
            let kind = Kind::parse(&kind).ok_or_else(|| CopyError::Columns(table.clone()))?;
            if tables.last().is_none_or(|last| last.name != table) {
                tables.push(Table {
                    name: table,
                    columns: Vec::new(),
                    key: Vec::new(),
                });
            }
            if let Some(last) = tables.last_mut() {
                if position >= 0 {
                    last.key.push((position, last.columns.len()));
                }
                last.columns.push(Column { name, kind });
            }
        }
        for table in &mut tables {
            table.key.sort_unstable();
            if table.key.is_empty() {
                // Its rows would have no order.
                return Err(CopyError::Columns(table.name.clone()));
            }
        }
        let references = pairs(&self.texts(REFERENCES).await?);
        let order = in_order(tables.iter().map(|table| table.name.clone()).collect(), &references)?;
        tables.sort_by_key(|table| order.iter().position(|name| *name == table.name));
        Ok(tables)
    }

    /// Returns the rows of a table in the order of its key.
    pub(super) async fn rows(&mut self, table: &Table) -> Result<TargetRows<'_>, CopyError> {
        let (columns, name, order) = (table.column_list(), quoted(&table.name), table.order(" COLLATE \"C\""));
        let sql = format!("COPY (SELECT {columns} FROM {name} ORDER BY {order}) TO STDOUT");
        let stream = self.connection.copy_out_raw(&sql).await.map_err(CopyError::Target)?;
        Ok(TargetRows {
            stream: stream.map_ok(|bytes| bytes.to_vec()).boxed(),
            read: Vec::new(),
            at: 0,
        })
    }

    /// Writes lines into a table, all or none of them.
    pub(super) async fn write(&mut self, table: &Table, lines: Vec<u8>) -> Result<(), CopyError> {
        if lines.is_empty() {
            return Ok(());
        }
        let sql = format!("COPY {} ({}) FROM STDIN", quoted(&table.name), table.column_list());
        let mut copy = self.connection.copy_in_raw(&sql).await.map_err(CopyError::Target)?;
        copy.send(lines).await.map_err(CopyError::Target)?;
        copy.finish().await.map_err(CopyError::Target)?;
        Ok(())
    }

    /// Lets Postgres count the values of a table that was just written, so that its first statements have good plans.
    pub(super) async fn analyze(&mut self, table: &Table) -> Result<(), CopyError> {
        let sql = format!("ANALYZE {}", quoted(&table.name));
        sqlx::query(AssertSqlSafe(sql))
            .execute(&mut self.connection)
            .await
            .map_err(CopyError::Target)?;
        Ok(())
    }

    /// Removes the mark of an unfinished copy.
    pub(super) async fn finish(&mut self, epoch: Uuid) -> Result<(), CopyError> {
        let removed = sqlx::query("DELETE FROM seaql_migrations WHERE version = $1")
            .bind(mark(epoch))
            .execute(&mut self.connection)
            .await
            .map_err(CopyError::Target)?;
        match removed.rows_affected() {
            1 => Ok(()),
            _ => Err(CopyError::Target(sqlx::Error::RowNotFound)),
        }
    }

    async fn texts(&mut self, sql: &'static str) -> Result<Vec<String>, CopyError> {
        let found = sqlx::query_scalar(sql).fetch_all(&mut self.connection).await;
        found.map_err(CopyError::Target)
    }
}

async fn connect(url: &str) -> Result<PgConnection, CopyError> {
    let options = connect_options(url).map_err(CopyError::Target)?;
    options
        .application_name("ledgerbell copy")
        .connect()
        .await
        .map_err(CopyError::Target)
}

fn mark(epoch: Uuid) -> String {
    format!("{UNFINISHED_COPY}{}", epoch.simple())
}

fn get<'r, T>(row: &'r sqlx::postgres::PgRow, at: usize) -> Result<T, CopyError>
where
    T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    row.try_get(at).map_err(CopyError::Target)
}

/// The rows of a table of the target, as lines.
pub(super) struct TargetRows<'a> {
    stream: BoxStream<'a, Result<Vec<u8>, sqlx::Error>>,
    /// What was read, and where the next line in it begins.
    read: Vec<u8>,
    at: usize,
}

impl TargetRows<'_> {
    /// Returns the line of the next row. Line breaks within values are escaped.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, CopyError> {
        loop {
            if let Some(length) = self.read[self.at..].iter().position(|byte| *byte == b'\n') {
                let line = self.read[self.at..=self.at + length].to_vec();
                self.at += length + 1;
                return Ok(Some(line));
            }
            self.read.drain(..self.at);
            self.at = 0;
            match self.stream.try_next().await.map_err(CopyError::Target)? {
                Some(bytes) => self.read.extend_from_slice(&bytes),
                None if self.read.is_empty() => return Ok(None),
                None => return Err(CopyError::Target(sqlx::Error::Protocol("a line has no end".to_owned()))),
            }
        }
    }
}
