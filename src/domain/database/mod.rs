//! The database as the domain's stores see it: where to read, and how to run a transaction.
//!
//! Called by the `store` files of every domain module; opened by `adapters::database`. Only this module and the stores name
//! the ORM.
//!
//! Invariants:
//! - A connection returns to its pool (see `pool`) only when it is known to be outside of a transaction with no statement running. After
//!   anything else (a statement without an answer, a COMMIT or ROLLBACK that failed, a panic) it is closed. See `session`.
//! - A transaction runs in a task of its own that is awaited to its end. A caller that is dropped (a client that
//!   disconnects drops its request's future) does not interrupt it, so its result is never in doubt. Each of its statements
//!   has a deadline on the client side.
//! - No transaction is reported as committed before COMMIT has succeeded on a connection that was in exactly that
//!   transaction. None of its statements had failed. On SQLite a second connection has seen the commit too.
//! - On SQLite there is one writing connection, and a transaction takes the write lock at its beginning. A transaction that
//!   reads first and writes later would fail at once when another has written in between.
//! - A transaction that failed for a temporary reason is run again, at most [`RETRIES`] times. So its work must be safe to
//!   run twice. Commands are, by their keys and because they decide on what they read under the lock.

pub mod bulk;
pub(in crate::domain) mod coalescer;
mod fault;
mod health;
#[cfg(test)]
pub(in crate::domain) mod injector;
pub(in crate::domain) mod keyset;
mod pending;
mod pool;
mod reader;
mod recording;
pub(in crate::domain) mod records;
mod replica;
pub(in crate::domain) mod scope;
pub(in crate::domain) mod select;
mod session;
mod shared;
mod transaction;
mod trouble;
mod witness;
pub(in crate::domain) mod writes;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{DatabaseConnection, DbBackend, DbErr, Statement};

use super::fault::Fault;
use super::wake::Wake;
use crate::primitives::trace;
use pool::Pool;
use session::{Mode, Session};
use shared::Shared;
use transaction::CommitError;
use witness::Witness;

pub use fault::MayFault;
pub use health::Health;
pub use pending::{MOST_COUNTED, PendingItems};
pub use pool::PoolUsage;
pub use reader::Reader;
pub(in crate::domain) use recording::record_within;
pub(in crate::domain) use replica::{Proof, ServerRead};
pub use replica::{Replica, ReplicaResult};
pub use shared::{Deadlines, Suspicion};
pub use transaction::Transaction;
pub use trouble::Trouble;

/// How often a transaction is run again after a temporary failure.
pub const RETRIES: u32 = 3;

/// The boxed future that the work of a transaction returns.
pub type Work<'t, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 't>>;

/// A handle to the database. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Database {
    writer: Pool,
    reader: Reader,
    witness: Option<Arc<Witness>>,
    shared: Arc<Shared>,
    schema: DatabaseConnection,
    is_sharded: bool,
}

impl Database {
    /// Uses open connections. Without a reader, the writer reads too.
    pub fn new(writer: DatabaseConnection, reader: Option<&DatabaseConnection>) -> Self {
        Self::with(writer, reader, Shared::default())
    }

    /// As [`Self::new`], with deadlines and the suspicion that the pools use.
    pub fn bounded(
        writer: DatabaseConnection,
        reader: Option<&DatabaseConnection>,
        deadlines: Deadlines,
        suspicion: Suspicion,
    ) -> Self {
        Self::with(writer, reader, Shared::new(deadlines, suspicion, None))
    }

    fn with(schema: DatabaseConnection, reader: Option<&DatabaseConnection>, shared: Shared) -> Self {
        let (writer, shared) = (Pool::of(&schema), Arc::new(shared));
        let pool = reader.map_or_else(|| writer.clone(), Pool::of);
        Self {
            witness: Witness::of(&writer).map(Arc::new),
            reader: Reader {
                pool,
                shared: Arc::clone(&shared),
            },
            writer,
            shared,
            schema,
            is_sharded: false,
        }
    }

    /// Returns the same connections, where the rows of accounts are on several servers behind one address. It is then sent only statements
    /// that such a database accepts.
    #[must_use]
    pub fn sharded(self) -> Self {
        Self {
            is_sharded: true,
            ..self
        }
    }

    /// Returns the same connections, with an observer of each statement. Counts start at 0.
    #[must_use]
    pub fn observed_by(self, observer: impl Fn(&Statement) + Send + Sync + 'static) -> Self {
        let (deadlines, suspicion) = (self.shared.deadlines, self.shared.suspicion.clone());
        let shared = Arc::new(Shared::new(deadlines, suspicion, Some(Arc::new(observer))));
        let reader = Reader {
            shared: Arc::clone(&shared),
            ..self.reader
        };
        Self { reader, shared, ..self }
    }

    /// Returns the same connections without the witness of commits, to measure its cost.
    #[cfg(test)]
    #[must_use]
    pub(in crate::domain) fn unwitnessed(self) -> Self {
        Self { witness: None, ..self }
    }

    /// The injector of faults.
    #[cfg(test)]
    pub(in crate::domain) fn injector(&self) -> &injector::Injector {
        &self.shared.injector
    }

    /// Number of statements so far. Tests use it to prove that a page takes the same number of statements
    /// whatever the length of the list.
    pub fn statements(&self) -> u64 {
        self.shared.statements()
    }

    /// How often each trouble occurred.
    pub fn troubles(&self) -> Vec<(Trouble, u64)> {
        self.shared.troubles.counts()
    }

    /// Returns the last trouble with its error, unless a write was committed since.
    pub fn trouble(&self) -> Option<(Trouble, String)> {
        self.shared.troubles.current()
    }

    /// Wakes the workers of this process. Each commit does.
    pub fn wake(&self) -> &Wake {
        &self.shared.wake
    }

    /// Number of connections that were closed because they were not known to be clean.
    pub fn closed_connections(&self) -> u64 {
        self.shared.troubles.closed()
    }

    /// What the connections of each pool do, by its name.
    pub fn pools(&self) -> Vec<(&'static str, PoolUsage)> {
        let mut pools = vec![("writer", self.writer.usage())];
        if !self.reader.pool.is(&self.writer) {
            pools.push(("reader", self.reader.pool.usage()));
        }
        pools
    }

    /// The connections for migrations, which the ORM runs in a transaction of its own. The handle is closed after a
    /// failed migration. Others must not use the database meanwhile: they could keep the only connection.
    pub fn schema(&self) -> &DatabaseConnection {
        self.writer.give_back();
        &self.schema
    }

    /// Whether this is SQLite or Postgres.
    pub fn backend(&self) -> DbBackend {
        self.writer.backend()
    }

    /// Whether only one writing transaction runs at a time, whatever rows it uses.
    pub fn has_one_writer(&self) -> bool {
        self.backend() == DbBackend::Sqlite
    }

    /// Reads single statements. Each sees what was committed before it. For several statements that must
    /// agree see [`Self::snapshot`].
    pub fn read(&self) -> &Reader {
        &self.reader
    }

    /// Runs `work` in a transaction that may write, and commits if it succeeds.
    ///
    /// `work` may run several times. It must return every error of the database. Postgres commits nothing of a transaction in
    /// which a statement failed, and reports that only in the reply to COMMIT.
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
        self.run_to_the_end(Mode::Write, work).await
    }

    /// As [`Self::transaction`], for a write that only tests the database. It wakes no worker.
    async fn probe<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t Transaction) -> Work<'t, T, E> + Send + Sync + 'static,
        T: Send + 'static,
        E: MayFault + Send + 'static,
    {
        self.run_to_the_end(Mode::Probe, work).await
    }

    /// Runs `work` in a transaction that only reads: all its statements see the database at one instant.
    pub async fn snapshot<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t Transaction) -> Work<'t, T, E> + Send + Sync + 'static,
        T: Send + 'static,
        E: MayFault + Send + 'static,
    {
        self.run_to_the_end(Mode::Snapshot, work).await
    }

    /// Closes all connections once their work has ended. Other handles refuse from then on.
    pub async fn close(&self) -> Result<(), Fault> {
        if let Some(witness) = &self.witness {
            witness.close().await;
        }
        self.reader.pool.close().await;
        self.writer.close().await;
        Ok(())
    }

    async fn run_to_the_end<T, E, F>(&self, mode: Mode, work: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t Transaction) -> Work<'t, T, E> + Send + Sync + 'static,
        T: Send + 'static,
        E: MayFault + Send + 'static,
    {
        let database = self.clone();
        let run = async move {
            let mut retries = 0;
            loop {
                let (result, may_retry) = match database.begin(mode).await {
                    Ok(tx) => (database.settle(mode, tx, &work).await, true),
                    // A pool without a free connection has already waited, so this is not retried.
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
        // Its log lines belong to the request that caused it.
        match tokio::spawn(trace::carried(run)).await {
            Ok(result) => result,
            Err(error) => Err(Fault::Internal(format!("a transaction ended abnormally: {error}")).into()),
        }
    }

    async fn begin(&self, mode: Mode) -> Result<Transaction, DbErr> {
        let pool = match mode {
            Mode::Write | Mode::Probe => &self.writer,
            Mode::Snapshot => &self.reader.pool,
        };
        let session = Session::acquire(pool, &self.shared).await?;
        let tx = Transaction::begin(session, pool.backend(), mode).await?;
        Ok(tx.with_joined_writes(self.backend() == DbBackend::Postgres && !self.is_sharded))
    }

    /// Runs the work once, then commits or rolls back. After a COMMIT that fails the result is unknown. Running the work again
    /// is safe.
    async fn settle<T, E, F>(&self, mode: Mode, tx: Transaction, work: &F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t Transaction) -> Work<'t, T, E>,
        E: MayFault,
    {
        let done = match work(&tx).await {
            Ok(done) => done,
            Err(error) => {
                tx.roll_back().await;
                return Err(error);
            }
        };
        let committed = match tx.commit().await {
            Ok(session) => self.prove(mode, session).await,
            Err(CommitError::Database(error)) => Err(error.into()),
            Err(CommitError::Failed) => {
                let text = "a transaction reported success although a statement of it had failed";
                Err(Fault::Internal(text.to_owned()))
            }
        };
        committed?;
        Ok(done)
    }

    /// Where that is cheap, lets a second connection see the commit before the connection is used again and before any caller
    /// gets the result.
    async fn prove(&self, mode: Mode, mut session: Session) -> Result<(), Fault> {
        if mode == Mode::Snapshot {
            return Ok(());
        }
        if let Some(witness) = &self.witness
            && let Err(error) = self.shared.soon(witness.see()).await
        {
            session.distrust();
            let text = format!("a second connection does not see the commit: {error}");
            tracing::error!(%error, "a second connection does not see a commit; results are withheld");
            self.shared.troubles.note(Trouble::Unproven, text.clone());
            return Err(Fault::Unavailable(text));
        }
        self.shared.troubles.end();
        if mode == Mode::Write {
            self.shared.wake.wake();
        }
        Ok(())
    }
}

/// Grows with each attempt and differs between tasks, so that conflicting transactions do not meet again.
fn backoff(retries: u32) -> Duration {
    let jitter = getrandom::u32().unwrap_or_default() % 16;
    Duration::from_millis(u64::from((1 << retries.min(8)) * 4 + jitter))
}

#[cfg(test)]
pub(crate) mod server_for_tests;
#[cfg(test)]
mod tests;
