//! The posting engine: gathers commands into batches, and gives each its own answer.
//!
//! Every account belongs to one lane. While a lane's transaction is in flight, whatever arrives waits, and is the next batch: the
//! busier the service, the more commands share one commit. A lane locks the batch's accounts, folds the pure core over their
//! commands in order, writes everything by a handful of statements, commits, and only then answers and rings the bell.
//!
//! **A bad neighbour harms nobody.** The fold sees what its own batch made, so of two equal keys the second replays. A panic in
//! the core is caught for its command alone. A transaction that fails is run again by the database room where that may help
//! (request seeds make the same ids again, keys make it safe even when a commit's answer was lost); otherwise its accounts run
//! one by one, then its commands, so that only the culprit is answered INTERNAL. A lane that dies is restarted; those who waited
//! for it are told so.
//!
//! Called by the use cases of [`super::Ledger`]. Never awaited inside a transaction: a use case with rows of its own calls the
//! same code through [`super::LockedAccount`].

mod batch;
mod counts;
mod lane;
mod queue;

use std::num::NonZeroUsize;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::domain::event::Bell;
use crate::domain::fault::Fault;
use crate::primitives::ids::AccountId;

use super::balance::Posted;
use super::error::LedgerError;
use super::model::Request;

pub use counts::PostingTotals;

pub(super) use batch::{Poster, begin, post_one};
use counts::Counts;
use lane::Lane;
use queue::{Job, Queue};

/// Bounds of the posting engine.
#[derive(Clone, Copy, Debug)]
pub struct EngineSettings {
    /// How many transactions may be in flight; an account always goes to the same one.
    pub lanes: NonZeroUsize,
    /// Commands in one transaction at the most.
    pub max_batch: usize,
    /// Accounts in one transaction at the most: 1 where accounts live on different machines.
    pub accounts_per_transaction: usize,
    /// Commands that may wait for one account; beyond it callers are told to come back.
    pub queue_limit: usize,
    /// What they are told.
    pub retry_after_seconds: u32,
}

impl EngineSettings {
    /// For a database with one writer.
    pub const ONE_WRITER: Self = Self {
        lanes: NonZeroUsize::MIN,
        max_batch: 256,
        accounts_per_transaction: 256,
        queue_limit: 512,
        retry_after_seconds: 1,
    };
    /// For a database with many.
    pub const MANY_WRITERS: Self = Self {
        lanes: NonZeroUsize::MIN.saturating_add(1),
        ..Self::ONE_WRITER
    };
}

/// The lanes and their queues.
pub(super) struct Engine {
    queues: Vec<Arc<Queue>>,
    counts: Arc<Counts>,
    lanes: std::sync::Mutex<Vec<JoinHandle<()>>>,
}

impl Engine {
    /// Starts the lanes. They live until [`Self::shutdown`].
    pub(super) fn start(poster: &Arc<Poster>, bell: &Arc<dyn Bell>, settings: EngineSettings) -> Self {
        let counts = Arc::<Counts>::default();
        let lane = || Lane::new(Arc::clone(poster), Arc::clone(bell), Arc::clone(&counts), settings);
        let lanes: Vec<Arc<Lane>> = (0..settings.lanes.get()).map(|_| Arc::new(lane())).collect();
        Self {
            queues: lanes.iter().map(|lane| Arc::clone(&lane.queue)).collect(),
            counts,
            lanes: std::sync::Mutex::new(
                lanes
                    .into_iter()
                    .map(|lane| tokio::spawn(lane::keep_running(lane)))
                    .collect(),
            ),
        }
    }

    /// Hands a command to its account's lane and waits for its answer.
    pub(super) async fn post(&self, account_id: AccountId, request: Request) -> Result<Posted, LedgerError> {
        let (job, answer) = job(request);
        self.queue(account_id).push(account_id, vec![job])?;
        wait(answer).await
    }

    /// Hands commands of one account to its lane at once and in order, and waits for all answers. None is taken in when there is
    /// not room for all.
    pub(super) async fn post_all(
        &self,
        account_id: AccountId,
        requests: Vec<Request>,
    ) -> Result<Vec<Result<Posted, LedgerError>>, LedgerError> {
        let (jobs, answers): (Vec<_>, Vec<_>) = requests.into_iter().map(job).unzip();
        self.queue(account_id).push(account_id, jobs)?;
        let mut results = Vec::with_capacity(answers.len());
        for answer in answers {
            results.push(wait(answer).await);
        }
        Ok(results)
    }

    /// What the lanes have posted.
    pub(super) fn totals(&self) -> PostingTotals {
        self.counts.totals()
    }

    /// Takes nothing more in, serves what waits, and returns when the lanes have ended.
    pub(super) async fn shutdown(&self) {
        for queue in &self.queues {
            queue.close();
        }
        let lanes = std::mem::take(&mut *self.lanes.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        for lane in lanes {
            // A lane that ended by a panic has been reported by its keeper.
            let _ = lane.await;
        }
    }

    fn queue(&self, account_id: AccountId) -> &Queue {
        let lane = account_id.number().unsigned_abs() % self.queues.len() as u64;
        // Less than the number of queues, so it fits.
        &self.queues[usize::try_from(lane).unwrap_or_default()]
    }
}

fn job(request: Request) -> (Job, oneshot::Receiver<queue::Answer>) {
    let (answer, waiter) = oneshot::channel();
    let request = Arc::new(request);
    (Job { request, answer }, waiter)
}

/// A lane that dies drops the answers it owes.
async fn wait(answer: oneshot::Receiver<queue::Answer>) -> Result<Posted, LedgerError> {
    answer
        .await
        .unwrap_or_else(|_| Err(Fault::Internal("the posting lane ended before it answered".to_owned()).into()))
}

#[cfg(test)]
mod tests;
