//! One connection of a pool, while one task uses it.
//!
//! Invariant: a connection returns to its pool only when it is known to be clean: outside of a transaction, with no statement
//! running. After anything else (a statement that is canceled, a COMMIT or ROLLBACK that fails, a panic) it is closed. So no task
//! inherits a transaction of another one.

use std::fmt;
use std::sync::Arc;

use sea_orm::sqlx::{self, AssertSqlSafe, Executor as _, Postgres, SqlSafeStr as _, Sqlite};
use sea_orm::{ConnAcquireErr, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement, Values};
use sea_query_sqlx::SqlxValues;
use sqlx_core::transaction::TransactionManager as _;
use tracing::{Instrument as _, Span};

use super::pool::{Connection, Lease, Pool, on_either};
use super::shared::Shared;
use super::trouble::Trouble;
use crate::primitives::trace;

/// The kind of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// The transaction may write.
    Write,
    /// As [`Self::Write`], and makes no work for workers.
    Probe,
    /// All its statements see the database at one instant.
    Snapshot,
}

impl Mode {
    const fn begin(self, backend: DbBackend) -> &'static str {
        match (self, backend) {
            (Self::Write | Self::Probe, DbBackend::Sqlite) => "BEGIN IMMEDIATE",
            (Self::Snapshot, DbBackend::Sqlite) => "BEGIN DEFERRED",
            // Names the level, because a role may have another default.
            (Self::Write | Self::Probe, _) => "BEGIN ISOLATION LEVEL READ COMMITTED",
            (Self::Snapshot, _) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }
}

/// A connection, and whether it is clean.
pub(super) struct Session {
    /// `None` only once dropped.
    lease: Option<Lease>,
    is_clean: bool,
    pool: Pool,
    shared: Arc<Shared>,
}

impl Session {
    /// Waits for a free connection.
    pub(super) async fn acquire(pool: &Pool, shared: &Arc<Shared>) -> Result<Self, DbErr> {
        let lease = pool
            .lend(&shared.suspicion)
            .await
            .map_err(|error| shared.noted(acquire_error(error)))?;
        Ok(Self {
            lease: Some(lease),
            pool: pool.clone(),
            is_clean: true,
            shared: Arc::clone(shared),
        })
    }

    pub(super) async fn execute(&mut self, statement: &Statement) -> Result<ExecResult, DbErr> {
        self.shared.observe(statement);
        let connection = taken(&mut self.lease, &mut self.is_clean)?;
        let span = span(self.pool.backend(), &statement.sql);
        let result = traced(span, self.shared.bounded(connection.execute(statement))).await;
        self.end_statement(result, DbErr::Exec)
    }

    pub(super) async fn execute_unprepared(&mut self, sql: &str) -> Result<ExecResult, DbErr> {
        let connection = taken(&mut self.lease, &mut self.is_clean)?;
        let result = self.shared.bounded(connection.execute_unprepared(sql)).await;
        self.end_statement(result, DbErr::Exec)
    }

    pub(super) async fn query_one(&mut self, statement: &Statement) -> Result<Option<QueryResult>, DbErr> {
        self.shared.observe(statement);
        let connection = taken(&mut self.lease, &mut self.is_clean)?;
        let span = span(self.pool.backend(), &statement.sql);
        let result = traced(span, self.shared.bounded(connection.query_one(statement))).await;
        self.end_statement(result, DbErr::Query)
    }

    pub(super) async fn query_all(&mut self, statement: &Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.shared.observe(statement);
        let connection = taken(&mut self.lease, &mut self.is_clean)?;
        let span = span(self.pool.backend(), &statement.sql);
        let result = traced(span, self.shared.bounded(connection.query_all(statement))).await;
        self.end_statement(result, DbErr::Query)
    }

    /// Begins a transaction. Fails on a connection that is inside one. From here on the session is not clean.
    pub(super) async fn begin(&mut self, mode: Mode) -> Result<(), DbErr> {
        let connection = taken(&mut self.lease, &mut self.is_clean)?;
        let backend = self.pool.backend();
        let span = span(backend, mode.begin(backend));
        let begun = traced(span, self.shared.soon(connection.begin(mode))).await;
        self.end_statement(begun, DbErr::Query)?;
        self.is_clean = false;
        Ok(())
    }

    /// Commits. Afterwards the session is clean only if the connection is outside of its transaction.
    pub(super) async fn commit(&mut self) -> Result<(), DbErr> {
        let connection = taken(&mut self.lease, &mut self.is_clean)?;
        let span = span(self.pool.backend(), "COMMIT");
        let ended = traced(span, self.shared.bounded(connection.commit())).await;
        self.end_transaction(ended)
    }

    /// Rolls back. After a failure the connection is closed, which has the same effect.
    pub(super) async fn roll_back(&mut self) -> Result<(), DbErr> {
        let connection = taken(&mut self.lease, &mut self.is_clean)?;
        let span = span(self.pool.backend(), "ROLLBACK");
        let ended = traced(span, self.shared.soon(connection.roll_back())).await;
        self.end_transaction(ended)
    }

    /// Whether the last statement has left the connection as it was.
    pub(super) const fn is_clean(&self) -> bool {
        self.is_clean
    }

    /// Marks the connection as unusable, whatever the result of its last statement.
    pub(super) fn distrust(&mut self) {
        self.is_clean = false;
    }

    fn end_transaction(&mut self, ended: Result<(), sqlx::Error>) -> Result<(), DbErr> {
        self.is_clean = ended.is_ok();
        ended.map_err(|error| self.shared.noted(DbErr::Query(RuntimeErr::SqlxError(error.into()))))
    }

    /// An error of the request leaves the connection as it was. After any other error it is not used again.
    fn end_statement<T>(&mut self, result: Result<T, sqlx::Error>, wrap: fn(RuntimeErr) -> DbErr) -> Result<T, DbErr> {
        self.is_clean = match &result {
            Ok(_) => true,
            Err(error @ sqlx::Error::Database(_)) => Trouble::of_driver(error).is_none(),
            Err(_) => false,
        };
        result.map_err(|error| self.shared.noted(wrap(RuntimeErr::SqlxError(error.into()))))
    }
}

/// Returns the connection, which is not clean from here until its statement has ended.
fn taken<'s>(lease: &'s mut Option<Lease>, is_clean: &mut bool) -> Result<&'s mut Connection, DbErr> {
    *is_clean = false;
    lease
        .as_mut()
        .map(Lease::connection)
        .ok_or_else(|| DbErr::Conn(RuntimeErr::Internal("the connection is closed".to_owned())))
}

fn span(backend: DbBackend, text: &str) -> Span {
    let system = match backend {
        DbBackend::Sqlite => "sqlite",
        _ => "postgresql",
    };
    trace::statement(system, text)
}

/// Waits for a statement as its span.
async fn traced<T>(span: Span, answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    let result = answer.instrument(span.clone()).await;
    if let Err(error) = &result {
        let code = match error {
            sqlx::Error::Database(error) => error.code(),
            _ => None,
        };
        trace::failed(&span, code.as_deref().unwrap_or("_OTHER"));
    }
    result
}

fn acquire_error(error: sqlx::Error) -> DbErr {
    match error {
        sqlx::Error::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
        sqlx::Error::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
        error => DbErr::Conn(RuntimeErr::SqlxError(error.into())),
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(lease) = self.lease.take() else { return };
        if self.is_clean {
            self.pool.keep(lease);
        } else {
            self.shared.troubles.closed_one();
            // Canceled or lost: connections that were idle meanwhile are tested before they are used.
            self.shared.suspicion.arise();
            lease.close();
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("is_clean", &self.is_clean)
            .finish_non_exhaustive()
    }
}

impl Connection {
    async fn execute(&mut self, statement: &Statement) -> Result<ExecResult, sqlx::Error> {
        on_either!(Connection, self, connection => Ok(query(statement).execute(&mut **connection).await?.into()))
    }

    async fn execute_unprepared(&mut self, sql: &str) -> Result<ExecResult, sqlx::Error> {
        // The text is a constant and never made from external input.
        let sql = AssertSqlSafe(sql.to_owned()).into_sql_str();
        on_either!(Connection, self, connection => Ok(connection.execute(sql).await?.into()))
    }

    async fn query_one(&mut self, statement: &Statement) -> Result<Option<QueryResult>, sqlx::Error> {
        on_either!(Connection, self, connection => Ok(query(statement).fetch_optional(&mut **connection).await?.map(Into::into)))
    }

    async fn query_all(&mut self, statement: &Statement) -> Result<Vec<QueryResult>, sqlx::Error> {
        on_either!(Connection, self, connection => {
            let rows = query(statement).fetch_all(&mut **connection).await?;
            Ok(rows.into_iter().map(Into::into).collect())
        })
    }

    async fn begin(&mut self, mode: Mode) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(connection) => begin::<Sqlite>(connection, mode.begin(DbBackend::Sqlite)).await,
            Self::Postgres(connection) => begin::<Postgres>(connection, mode.begin(DbBackend::Postgres)).await,
        }
    }

    async fn commit(&mut self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(connection) => commit::<Sqlite>(connection).await,
            Self::Postgres(connection) => commit::<Postgres>(connection).await,
        }
    }

    async fn roll_back(&mut self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(connection) => roll_back::<Sqlite>(connection).await,
            Self::Postgres(connection) => roll_back::<Postgres>(connection).await,
        }
    }
}

/// Begins by a statement of our own. The driver refuses it on a connection that it takes to be inside a transaction, and
/// SQLite refuses it on one that is. Otherwise the driver would use a SAVEPOINT.
async fn begin<DB: sqlx::Database>(
    connection: &mut DB::Connection,
    statement: &'static str,
) -> Result<(), sqlx::Error> {
    DB::TransactionManager::begin(connection, Some(statement.into_sql_str())).await
}

/// Sends COMMIT. At any other depth than the first the driver would release a savepoint, or do nothing, and report success.
async fn commit<DB: sqlx::Database>(connection: &mut DB::Connection) -> Result<(), sqlx::Error> {
    at_depth::<DB>(connection, 1)?;
    DB::TransactionManager::commit(connection).await?;
    at_depth::<DB>(connection, 0)
}

/// Sends ROLLBACK. The depth is checked as for [`commit`].
async fn roll_back<DB: sqlx::Database>(connection: &mut DB::Connection) -> Result<(), sqlx::Error> {
    at_depth::<DB>(connection, 1)?;
    DB::TransactionManager::rollback(connection).await?;
    at_depth::<DB>(connection, 0)
}

fn at_depth<DB: sqlx::Database>(connection: &DB::Connection, expected: usize) -> Result<(), sqlx::Error> {
    let depth = DB::TransactionManager::get_transaction_depth(connection);
    if depth == expected {
        return Ok(());
    }
    let text = format!("the connection is at transaction depth {depth} instead of {expected}");
    Err(sqlx::Error::Protocol(text))
}

fn query<DB>(statement: &Statement) -> sqlx::query::Query<'_, DB, SqlxValues>
where
    DB: sqlx::Database,
    SqlxValues: sqlx::IntoArguments<DB>,
{
    let values = statement.values.clone().unwrap_or(Values(Vec::new()));
    sqlx::query_with(AssertSqlSafe(statement.sql.as_str()), SqlxValues(values))
}
