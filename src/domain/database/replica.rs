//! A second server that repeats the commits of the primary, later than it.
//!
//! Nothing is known of how far it is behind. So a read is answered by it only after a proof, in the same transaction, that the
//! server has what the answer needs. Everything else is left to the primary.
//!
//! Invariants:
//! - A read costs at most [`PROVES_WITHIN`] and [`ANSWERS_WITHIN`] before the primary answers it.
//! - After a failure no read tries the replica for [`PAUSE`]. Then one read tries it, and the others do after it has succeeded.
//! - Proof and answer are of one transaction, so of one server, whatever a balancer or a pooler does in between.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::select::Source;
use super::session::{Mode, Session};
use super::{Database, Transaction};
use crate::domain::fault::{Fault, QueryError};

/// The longest wait for a connection, the begin of a transaction and the proof.
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
    /// It could not be reached, did not answer in time, or refused.
    Failed,
    /// It belongs to another installation.
    Foreign,
    /// It had failed shortly before, and was not tried.
    Paused,
}

impl ReplicaResult {
    /// All results, in the order of the metrics.
    pub const ALL: [Self; 5] = [Self::Answered, Self::Behind, Self::Failed, Self::Foreign, Self::Paused];

    /// The name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Behind => "behind",
            Self::Failed => "failed",
            Self::Foreign => "foreign",
            Self::Paused => "paused",
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

impl Replica {
    /// Uses these connections, of which none has to be open yet.
    pub fn new(database: Database) -> Self {
        Self(Arc::new(Inner {
            database,
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
        if !self.may_be_tried() {
            return self.left_to_primary(ReplicaResult::Paused);
        }
        let proven = tokio::time::timeout(PROVES_WITHIN, self.proven(read)).await;
        let transaction = match proven {
            Ok(Ok((transaction, Proof::Has))) => transaction,
            Ok(Ok((transaction, Proof::Behind))) => {
                self.note_success();
                end(transaction);
                return self.left_to_primary(ReplicaResult::Behind);
            }
            Ok(Ok((_, Proof::Foreign))) => {
                self.pause("it belongs to another installation");
                return self.left_to_primary(ReplicaResult::Foreign);
            }
            Ok(Err(fault)) => return self.failed(&fault.to_string()),
            Err(_elapsed) => return self.failed(&late(PROVES_WITHIN)),
        };
        // A read that is given up, or whose caller is dropped, costs its connection.
        match tokio::time::timeout(ANSWERS_WITHIN, read.run(&transaction)).await {
            Ok(Err(QueryError::Fault(fault))) => self.failed(&fault.to_string()),
            Ok(found) => {
                self.note_success();
                end(transaction);
                self.count(ReplicaResult::Answered);
                Some(found)
            }
            Err(_elapsed) => self.failed(&late(ANSWERS_WITHIN)),
        }
    }

    async fn proven(&self, read: &impl ServerRead) -> Result<(Transaction, Proof), Fault> {
        let database = &self.0.database;
        let session = Session::acquire(&database.writer, &database.shared).await?;
        let transaction = Transaction::begin(session, database.backend(), Mode::Snapshot).await?;
        let proof = read.prove(&transaction).await?;
        Ok((transaction, proof))
    }

    /// Whether a read may try the replica. After a pause only the read that asks first may, until it has succeeded.
    fn may_be_tried(&self) -> bool {
        let mut paused_until = self.paused_until();
        match *paused_until {
            None => true,
            Some(until) if Instant::now() < until => false,
            Some(_) => {
                *paused_until = Some(Instant::now() + PAUSE);
                true
            }
        }
    }

    fn note_success(&self) {
        if self.paused_until().take().is_some() {
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
fn end(transaction: Transaction) {
    tokio::spawn(transaction.roll_back());
}

fn late(time: Duration) -> String {
    format!("no answer within {} ms", time.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_at_their_place() {
        for (at, result) in ReplicaResult::ALL.into_iter().enumerate() {
            assert_eq!(result as usize, at);
        }
    }
}
