//! The database as the domain's stores see it: where to read, and how to run a transaction.
//!
//! Called by the `store` files of every domain room; opened by `adapters::database`. With the stores, the only place that names
//! the ORM.
//!
//! Invariants:
//! - A transaction runs in a task of its own that is awaited to its end. A caller that goes away (a client that hangs up drops
//!   its request's future) cannot cancel BEGIN or COMMIT half-way, which would hand the next user of the connection an open
//!   transaction. For the same reason nothing races a transaction against a timeout; the database's own timeouts bound it.
//! - On SQLite there is one writing connection, and a transaction takes the write lock at its beginning: one that reads first
//!   and wants to write later would fail at once when another has written in between.
//! - What failed for a reason that passes is run again, at most [`RETRIES`] times. So the work of a transaction must be safe to
//!   run twice; commands are, by their keys and because they decide on what they read under the lock.

pub mod bulk;
mod fault;
pub(in crate::domain) mod gather;
pub(in crate::domain) mod keyset;
pub(in crate::domain) mod select;
mod waiting;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sea_orm::{
    AccessMode, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, IsolationLevel, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};
use tracing::Instrument;

use super::fault::Fault;

pub use fault::MayFault;
pub use waiting::{MOST_COUNTED, Waiting};

/// How often a transaction is run again that failed for a reason that passes.
pub const RETRIES: u32 = 3;

/// An open transaction. Functions that work in somebody's transaction take it first.
pub type Transaction = DatabaseTransaction;

/// The boxed future that the work of a transaction returns.
pub type Work<'t, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 't>>;

/// A handle to the database. Cloning shares its connections.
#[derive(Clone, Debug)]
pub struct Database {
    writer: DatabaseConnection,
    reader: DatabaseConnection,
    statements: Arc<AtomicU64>,
}

impl Database {
    /// From connections that are open. On Postgres both may be the same pool.
    pub fn new(writer: DatabaseConnection, reader: DatabaseConnection) -> Self {
        let statements = Arc::default();
        Self {
            writer,
            reader,
            statements,
        }
    }

    /// The same connections, counting statements from now on. Whoever else listened to them no longer does.
    #[must_use]
    pub fn counting_statements(mut self) -> Self {
        for connection in [&mut self.writer, &mut self.reader] {
            let statements = Arc::clone(&self.statements);
            connection.set_metric_callback(move |_| {
                statements.fetch_add(1, Ordering::Relaxed);
            });
        }
        self
    }

    /// Statements run so far. What a page of a list takes must not grow with its length; tests pin it by this.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Which of the two databases it is.
    pub fn backend(&self) -> DbBackend {
        self.writer.get_database_backend()
    }

    /// Whether transactions that write take turns, whatever they touch.
    pub fn has_one_writer(&self) -> bool {
        self.backend() == DbBackend::Sqlite
    }

    /// Where single statements read. Each sees what was committed before it; for several that must agree see
    /// [`Self::snapshot`].
    pub fn read(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// Runs `work` in a transaction that may write, and commits if it succeeds.
    ///
    /// `work` may run several times. It must hand on every error of the database: Postgres commits nothing of a transaction in
    /// which a statement failed, and says so to nobody who does not look.
    ///
    /// ```ignore
    /// database.transaction(move |tx| { let name = name.clone(); Box::pin(async move { store::rename(tx, id, &name).await }) }).await
    /// ```
    pub async fn transaction<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t Transaction) -> Work<'t, T, E> + Send + Sync + 'static,
        T: Send + 'static,
        E: MayFault + Send + 'static,
    {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        run_to_the_end(self.writer.clone(), options, work).await
    }

    /// Runs `work` in a transaction that only reads: all its statements see the database at one instant.
    pub async fn snapshot<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t Transaction) -> Work<'t, T, E> + Send + Sync + 'static,
        T: Send + 'static,
        E: MayFault + Send + 'static,
    {
        let options = match self.backend() {
            DbBackend::Sqlite => TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Deferred),
                ..Default::default()
            },
            _ => TransactionOptions {
                isolation_level: Some(IsolationLevel::RepeatableRead),
                access_mode: Some(AccessMode::ReadOnly),
                ..Default::default()
            },
        };
        run_to_the_end(self.reader.clone(), options, work).await
    }

    /// Closes all connections once what runs on them has ended. Handles that are left refuse from then on.
    pub async fn close(&self) -> Result<(), Fault> {
        self.reader.close_by_ref().await?;
        self.writer.close_by_ref().await?;
        Ok(())
    }
}

async fn run_to_the_end<T, E, F>(connection: DatabaseConnection, options: TransactionOptions, work: F) -> Result<T, E>
where
    F: for<'t> Fn(&'t Transaction) -> Work<'t, T, E> + Send + Sync + 'static,
    T: Send + 'static,
    E: MayFault + Send + 'static,
{
    let run = async move {
        let mut retries = 0;
        loop {
            let (result, may_retry) = match connection.begin_with_options(options).await {
                Ok(tx) => (settle(tx, &work).await, true),
                // A pool without a free connection has already made us wait: that is not tried again.
                Err(error) => {
                    let may_retry = !matches!(error, DbErr::ConnectionAcquire(_));
                    (Err(Fault::from(error).into()), may_retry)
                }
            };
            match result {
                Err(error) if may_retry && retries < RETRIES && error.fault().is_some_and(Fault::passes) => {
                    retries += 1;
                    tracing::debug!(retries, fault = ?error.fault(), "running a transaction again");
                    tokio::time::sleep(backoff(retries)).await;
                }
                result => return result,
            }
        }
    };
    // What it logs belongs to the request that caused it.
    match tokio::spawn(run.in_current_span()).await {
        Ok(result) => result,
        Err(error) => Err(Fault::Internal(format!("a transaction ended abnormally: {error}")).into()),
    }
}

/// Runs the work once, then commits or rolls back. A COMMIT that fails may have happened or not; running the work again is safe.
async fn settle<T, E, F>(tx: Transaction, work: &F) -> Result<T, E>
where
    F: for<'t> Fn(&'t Transaction) -> Work<'t, T, E>,
    E: MayFault,
{
    let result = work(&tx).await;
    let ended = if result.is_ok() {
        tx.commit().await
    } else {
        tx.rollback().await
    };
    match (result, ended) {
        (Ok(_), Err(error)) => Err(Fault::from(error).into()),
        (result, _) => result,
    }
}

/// Grows with each try and differs from task to task, so that those who got into each other's way do not meet again.
fn backoff(retries: u32) -> Duration {
    let jitter = getrandom::u32().unwrap_or_default() % 16;
    Duration::from_millis(u64::from((1 << retries.min(8)) * 4 + jitter))
}

#[cfg(test)]
pub(in crate::domain) mod server_for_tests;
#[cfg(test)]
mod tests;
