//! An open transaction, as stores use it.

use sea_orm::entity::prelude::async_trait::async_trait;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};
use tokio::sync::Mutex;

use super::session::{Mode, Session};

/// An open transaction. Functions that work in the caller's transaction take it as their first parameter.
///
/// Invariant: after one statement has failed no other is run, and the transaction is not committed, however its work handles
/// the failure. Postgres would answer COMMIT by a rollback that looks like success. SQLite may have rolled back already, so
/// that later statements would be committed one by one.
#[derive(Debug)]
pub struct Transaction {
    backend: DbBackend,
    joins_writes: bool,
    progress: Mutex<Progress>,
}

#[derive(Debug)]
struct Progress {
    session: Session,
    /// A statement failed, or was canceled.
    has_failed: bool,
    /// The connection failed too, so it cannot roll back.
    is_lost: bool,
}

impl Transaction {
    pub(super) async fn begin(mut session: Session, backend: DbBackend, mode: Mode) -> Result<Self, DbErr> {
        session.begin(mode).await?;
        let progress = Progress {
            session,
            has_failed: false,
            is_lost: false,
        };
        Ok(Self {
            backend,
            joins_writes: false,
            progress: Mutex::new(progress),
        })
    }

    /// Returns the same transaction. One statement may then write to several tables: see [`Self::joins_writes`].
    pub(super) fn with_joined_writes(self, joins_writes: bool) -> Self {
        Self { joins_writes, ..self }
    }

    /// Whether one statement may write to several tables.
    pub(super) const fn joins_writes(&self) -> bool {
        self.joins_writes
    }

    /// Commits, and returns the connection, which is outside of the transaction.
    pub(super) async fn commit(self) -> Result<Session, CommitError> {
        if self.progress.lock().await.has_failed {
            self.roll_back().await;
            return Err(CommitError::Failed);
        }
        let mut session = self.progress.into_inner().session;
        session.commit().await.map_err(CommitError::Database)?;
        Ok(session)
    }

    /// Whether the connection failed, and not only a statement on it.
    pub(super) fn is_lost(&mut self) -> bool {
        self.progress.get_mut().is_lost
    }

    pub(super) async fn roll_back(self) {
        let mut progress = self.progress.into_inner();
        // A connection that is lost, or cannot roll back, is closed, which rolls back.
        if !progress.is_lost
            && let Err(error) = progress.session.roll_back().await
        {
            tracing::warn!(%error, "a transaction was not rolled back; its connection is closed");
        }
    }
}

/// Why a transaction was not committed, or may not be.
#[derive(Debug)]
pub(super) enum CommitError {
    /// A statement had failed, which the work did not report.
    Failed,
    /// The database refused, or did not answer.
    Database(DbErr),
}

/// Runs one statement unless one has failed before.
macro_rules! run {
    ($transaction:expr, $session:ident => $code:expr) => {{
        let mut progress = $transaction.progress.lock().await;
        let Progress {
            session: $session,
            has_failed,
            is_lost,
        } = &mut *progress;
        if std::mem::replace(has_failed, true) {
            let text = "an earlier statement of the transaction has failed".to_owned();
            return Err(DbErr::Query(RuntimeErr::Internal(text)));
        }
        *is_lost = true;
        let result = $code;
        *has_failed = result.is_err();
        *is_lost = !$session.is_clean();
        // The connection has an open transaction.
        $session.distrust();
        result
    }};
}

#[async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        self.backend
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        run!(self, session => session.execute(&statement).await)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        run!(self, session => session.execute_unprepared(sql).await)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        run!(self, session => session.query_one(&statement).await)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        run!(self, session => session.query_all(&statement).await)
    }
}
