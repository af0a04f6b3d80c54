//! A second server that repeats the commits of the primary, later than it.
//!
//! Nothing is known of how far it is behind. So a read is answered by it only after a proof, in the same transaction, that the
//! server has what the answer needs. Everything else is left to the primary.
//!
//! Invariants:
//! - A read costs at most [`FREE_WITHIN`], [`PROVES_WITHIN`] and [`ANSWERS_WITHIN`] before the primary answers it.
//! - After a failure no read begins to try the replica for [`PAUSE`]. Then one read tries it, and the others do after its proof has
//!   succeeded. A read that began before the failure does not end the pause.
//! - A read that finds no free connection, or is slow after its proof, pauses no other: the server works.
//! - Proof and answer are of one transaction, so of one server, whatever a balancer or a pooler does in between.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::select::Source;
use super::session::{Mode, Session};
use super::{Database, Transaction};
use crate::domain::fault::{Fault, QueryError};

/// The longest wait until one of the connections is free.
const FREE_WITHIN: Duration = Duration::from_millis(250);
/// The longest time to connect, to begin a transaction, and for the proof.
const PROVES_WITHIN: Duration = Duration::from_secs(1);
/// The longest wait for the answer after the proof.
const ANSWERS_WITHIN: Duration = Duration::from_secs(4);
/// How long no read tries a replica that has failed.
const PAUSE: Duration = Duration::from_secs(5);

/// The replica of a database. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Replica(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    database: Database,
    /// One for each connection. So a read that waits for a free connection is distinguished from one that waits for the server.
    free: Arc<Semaphore>,
    /// Until when no read tries it, after a failure.
    paused_until: Mutex<Option<Instant>>,
    counts: [AtomicU64; ReplicaResult::ALL.len()],
}

/// What a replica did about a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicaResult {
    /// It answered.
    Answered,
    /// It does not have the last commits of the account yet. The primary answered, as for all that follow.
    Behind,
    /// It could not be reached, did not prove in time what it has, was lost, or refused.
    Failed,
    /// It belongs to another installation.
    Foreign,
    /// It had failed shortly before, and was not tried.
    Paused,
    /// It works, but had no free connection, did not answer in time after the proof, or canceled the statement.
    Slow,
}

impl ReplicaResult {
    /// All results, in the order of the metrics.
    pub const ALL: [Self; 6] = [
        Self::Answered,
        Self::Behind,
        Self::Failed,
        Self::Foreign,
        Self::Paused,
        Self::Slow,
    ];

    /// The name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Behind => "behind",
            Self::Failed => "failed",
            Self::Foreign => "foreign",
            Self::Paused => "paused",
            Self::Slow => "slow",
        }
    }
}

/// Whether a server has what a read needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::domain) enum Proof {
    /// It has.
    Has,
    /// Not yet.
    Behind,
    /// It never will: it belongs to another installation.
    Foreign,
}

/// A read that either server can answer.
pub(in crate::domain) trait ServerRead: Sync {
    /// The answer.
    type Found: Send;

    /// Returns whether the server behind `source` has what the answer needs. Must take no time.
    fn prove(&self, source: &impl Source) -> impl Future<Output = Result<Proof, Fault>> + Send;

    /// Reads the answer.
    fn run(&self, source: &impl Source) -> impl Future<Output = Result<Self::Found, QueryError>> + Send;
}

/// A read that tries the replica.
struct Attempt {
    /// The pause that it ends if it succeeds.
    pause: Option<Instant>,
    /// Its right to a connection, until that is free again.
    _free: OwnedSemaphorePermit,
}

impl Replica {
    /// Uses these connections, of which none has to be open yet.
    pub fn new(database: Database) -> Self {
        let connections = database.writer.usage().size;
        Self(Arc::new(Inner {
            database,
            free: Arc::new(Semaphore::new(connections)),
            paused_until: Mutex::default(),
            counts: Default::default(),
        }))
    }

    /// How often this result occurred.
    pub fn count_of(&self, result: ReplicaResult) -> u64 {
        self.0.counts[result as usize].load(Ordering::Relaxed)
    }

    /// Closes all connections once their work has ended.
    pub async fn close(&self) -> Result<(), Fault> {
        self.0.database.close().await
    }

    /// Returns the answer to a read. `None` where the primary must answer it.
    pub(in crate::domain) async fn answer<R: ServerRead>(&self, read: &R) -> Option<Result<R::Found, QueryError>> {
        let attempt = match self.attempt().await {
            Ok(attempt) => attempt,
            Err(result) => return self.left_to_primary(result),
        };
        let (mut transaction, proof) = match tokio::time::timeout(PROVES_WITHIN, self.proven(read)).await {
            Ok(Ok(proven)) => proven,
            Ok(Err(fault)) => return self.failed(&fault.to_string()),
            Err(_elapsed) => return self.failed(&late(PROVES_WITHIN)),
        };
        match proof {
            Proof::Has => self.note_success(&attempt),
            Proof::Behind => {
                self.note_success(&attempt);
                end(transaction, attempt);
                return self.left_to_primary(ReplicaResult::Behind);
            }
            Proof::Foreign => {
                self.pause("it belongs to another installation");
                return self.left_to_primary(ReplicaResult::Foreign);
            }
        }
        // A read that is given up, or whose caller is dropped, costs its connection.
        match tokio::time::timeout(ANSWERS_WITHIN, read.run(&transaction)).await {
            Ok(Err(QueryError::Fault(fault))) => {
                if transaction.is_lost() {
                    return self.failed(&fault.to_string());
                }
                end(transaction, attempt);
                // The server works, and canceled this statement, or refuses it.
                let result = if fault.passes() {
                    ReplicaResult::Slow
                } else {
                    ReplicaResult::Failed
                };
                tracing::warn!(%fault, result = result.name(), "the replica did not answer a read; the primary answers");
                self.left_to_primary(result)
            }
            Ok(found) => {
                end(transaction, attempt);
                self.count(ReplicaResult::Answered);
                Some(found)
            }
            Err(_elapsed) => self.left_to_primary(ReplicaResult::Slow),
        }
    }

    /// Waits until a connection is free. Otherwise returns why this read is left to the primary.
    async fn attempt(&self) -> Result<Attempt, ReplicaResult> {
        if self.is_paused() {
            return Err(ReplicaResult::Paused);
        }
        let free = Arc::clone(&self.0.free).acquire_owned();
        let Ok(Ok(free)) = tokio::time::timeout(FREE_WITHIN, free).await else {
            return Err(ReplicaResult::Slow);
        };
        // The replica may have failed while this read waited.
        let pause = self.may_be_tried()?;
        Ok(Attempt { pause, _free: free })
    }

    async fn proven(&self, read: &impl ServerRead) -> Result<(Transaction, Proof), Fault> {
        let database = &self.0.database;
        let session = Session::acquire(&database.writer, &database.shared).await?;
        let transaction = Transaction::begin(session, database.backend(), Mode::Snapshot).await?;
        let proof = read.prove(&transaction).await?;
        Ok((transaction, proof))
    }

    fn is_paused(&self) -> bool {
        self.paused_until().is_some_and(|until| Instant::now() < until)
    }

    /// Returns the pause that a read ends if it succeeds, if there is one. After a pause only the read that asks first may try the
    /// replica, until it has succeeded.
    fn may_be_tried(&self) -> Result<Option<Instant>, ReplicaResult> {
        let mut paused_until = self.paused_until();
        match *paused_until {
            None => Ok(None),
            Some(until) if Instant::now() < until => Err(ReplicaResult::Paused),
            Some(_) => {
                *paused_until = Some(Instant::now() + PAUSE);
                Ok(*paused_until)
            }
        }
    }

    /// Ends the pause that this read has seen. A later one is of a failure after this read began.
    fn note_success(&self, attempt: &Attempt) {
        let ended = self.paused_until().take_if(|until| Some(*until) == attempt.pause);
        if ended.is_some() {
            tracing::info!("the replica answers again");
        }
    }

    fn pause(&self, reason: &str) {
        tracing::warn!(reason, "the replica is not used for a while; the primary answers");
        *self.paused_until() = Some(Instant::now() + PAUSE);
    }

    fn failed<T>(&self, reason: &str) -> Option<T> {
        self.pause(reason);
        self.left_to_primary(ReplicaResult::Failed)
    }

    fn left_to_primary<T>(&self, result: ReplicaResult) -> Option<T> {
        self.count(result);
        None
    }

    fn count(&self, result: ReplicaResult) {
        self.0.counts[result as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn paused_until(&self) -> MutexGuard<'_, Option<Instant>> {
        // Each change is one assignment, so a poisoned value is consistent.
        self.0.paused_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a transaction that only read. The answer does not wait for it.
fn end(transaction: Transaction, attempt: Attempt) {
    tokio::spawn(async move {
        transaction.roll_back().await;
        // Only now the connection is free.
        drop(attempt);
    });
}

fn late(time: Duration) -> String {
    format!("no answer within {} ms", time.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A read with a given proof and answer.
    struct Given {
        proof: Result<Proof, Fault>,
        answer: Result<u32, Fault>,
    }

    impl ServerRead for Given {
        type Found = u32;

        fn prove(&self, _source: &impl Source) -> impl Future<Output = Result<Proof, Fault>> + Send {
            std::future::ready(self.proof.clone())
        }

        fn run(&self, _source: &impl Source) -> impl Future<Output = Result<u32, QueryError>> + Send {
            std::future::ready(self.answer.clone().map_err(QueryError::Fault))
        }
    }

    /// A replica with one connection, to a database in memory.
    async fn replica() -> Replica {
        let mut options = sea_orm::ConnectOptions::new("sqlite::memory:");
        options.max_connections(1).sqlx_logging(false);
        let connection = sea_orm::Database::connect(options).await.expect("opens");
        Replica::new(Database::new(connection, None))
    }

    fn canceled() -> Fault {
        Fault::Unavailable("canceling statement due to statement timeout".to_owned())
    }

    #[test]
    fn results_are_at_their_place() {
        for (at, result) in ReplicaResult::ALL.into_iter().enumerate() {
            assert_eq!(result as usize, at);
        }
    }

    #[tokio::test]
    async fn a_statement_that_is_canceled_pauses_no_other_read_and_a_failed_proof_pauses_all() {
        let replica = replica().await;
        let mut read = Given {
            proof: Ok(Proof::Has),
            answer: Err(canceled()),
        };
        assert_eq!(replica.answer(&read).await, None);
        assert_eq!(replica.count_of(ReplicaResult::Slow), 1);
        read.answer = Err(Fault::Internal("no such column".to_owned()));
        assert_eq!(replica.answer(&read).await, None);
        assert_eq!(replica.count_of(ReplicaResult::Failed), 1);
        read.answer = Ok(7);
        assert_eq!(replica.answer(&read).await, Some(Ok(7)));
        read.proof = Err(canceled());
        assert_eq!(replica.answer(&read).await, None);
        assert_eq!(replica.count_of(ReplicaResult::Failed), 2);
        read.proof = Ok(Proof::Has);
        assert_eq!(replica.answer(&read).await, None);
        assert_eq!(replica.count_of(ReplicaResult::Paused), 1);
    }

    #[tokio::test]
    async fn a_read_without_a_free_connection_pauses_no_other() {
        let replica = replica().await;
        let other = replica.attempt().await;
        assert!(other.is_ok());
        let read = Given {
            proof: Ok(Proof::Has),
            answer: Ok(7),
        };
        assert_eq!(replica.answer(&read).await, None);
        assert_eq!(replica.count_of(ReplicaResult::Slow), 1);
        drop(other);
        assert_eq!(replica.answer(&read).await, Some(Ok(7)));
    }

    #[tokio::test]
    async fn a_read_ends_only_the_pause_that_it_has_seen() {
        let replica = replica().await;
        let early = replica.attempt().await.map(|Attempt { pause, .. }| pause);
        assert_eq!(early, Ok(None));
        replica.pause("it failed");
        let attempt = |pause| {
            let free = Arc::new(Semaphore::new(1)).try_acquire_owned();
            Attempt {
                pause,
                _free: free.expect("one is free"),
            }
        };
        replica.note_success(&attempt(None));
        assert_eq!(replica.may_be_tried(), Err(ReplicaResult::Paused));

        *replica.paused_until() = Some(Instant::now());
        let probe = replica.may_be_tried().expect("the pause is over");
        assert_eq!(
            replica.may_be_tried(),
            Err(ReplicaResult::Paused),
            "one read tries it first"
        );
        replica.note_success(&attempt(probe));
        assert_eq!(replica.may_be_tried(), Ok(None));
    }
}
