//! The posting engine: collects commands into batches, and returns a result for each command.
//!
//! Every account belongs to one lane. Commands that arrive while a lane's transaction runs wait and form the next batch. The
//! busier the service is, the more commands share one commit. A lane locks the batch's accounts, folds the pure core over their
//! commands in order, and writes everything by a handful of statements. It commits, then sends the results, then announces the events.
//!
//! **A failing command does not affect others.** The fold sees what its own batch made, so of two equal keys the second replays.
//! A panic in the core is caught for its command alone. The database module retries a failed transaction where that may help.
//! That is safe: request seeds make the same ids again, and keys cover a commit whose reply was lost. Otherwise the accounts of
//! the batch run one by one, then their commands, so that only the failing command returns INTERNAL. A lane that panics is
//! restarted, and the callers that waited for it get an error.
//!
//! Called by the use cases of [`super::Ledger`]. Never awaited inside a transaction: a use case with rows of its own calls the
//! same code through [`super::LockedAccount`].

mod batch;
mod counts;
mod lane;
mod queue;

use std::num::NonZeroUsize;
use std::sync::Arc;

use serde::Deserialize;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::Instrument as _;

use crate::domain::event::Bell;
use crate::domain::fault::Fault;
use crate::primitives::histogram::HistogramTotals;
use crate::primitives::ids::AccountId;
use crate::primitives::trace;

use super::balance::Posted;
use super::error::LedgerError;
use super::model::Request;

pub use counts::PostingTotals;

pub(super) use batch::{Poster, begin, post_one};
use counts::Counts;
use lane::Lane;
use queue::{Job, Queue};

/// Bounds of the posting engine.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct EngineSettings {
    /// Number of concurrent transactions. `None` means one; the server replaces it by the number for its database. An account always uses the same lane.
    pub lanes: Option<NonZeroUsize>,
    /// Commands in one transaction, at most.
    pub max_batch: usize,
    /// Accounts in one transaction, at most: 1 where accounts are on different machines.
    pub accounts_per_transaction: usize,
    /// Commands that may wait for one account. Beyond that the caller gets BUSY.
    #[serde(rename = "queue")]
    pub queue_limit: usize,
}

impl EngineSettings {
    /// Settings for a database with one writer.
    pub const ONE_WRITER: Self = Self {
        lanes: None,
        max_batch: 256,
        accounts_per_transaction: 256,
        queue_limit: 512,
    };
    /// Settings for a database with many writers.
    pub const MANY_WRITERS: Self = Self {
        lanes: Some(NonZeroUsize::MIN.saturating_add(1)),
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
    /// Starts the lanes. They run until [`Self::shutdown`].
    pub(super) fn start(poster: &Arc<Poster>, bell: &Arc<dyn Bell>, settings: EngineSettings) -> Self {
        let counts = Arc::<Counts>::default();
        let lane = || Lane::new(Arc::clone(poster), Arc::clone(bell), Arc::clone(&counts), settings);
        let lanes: Vec<Arc<Lane>> = (0..settings.lanes.map_or(1, NonZeroUsize::get))
            .map(|_| Arc::new(lane()))
            .collect();
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

    /// Adds a command to its account's lane and waits for its result.
    pub(super) async fn post(&self, account_id: AccountId, request: Request) -> Result<Posted, LedgerError> {
        let (job, receiver) = job(request);
        let span = job.span.clone();
        self.queue(account_id).push(account_id, vec![job])?;
        wait(receiver).instrument(span).await
    }

    /// Adds commands of one account to its lane at once and in order, and waits for all results. If the queue has no space for
    /// all, none is added.
    pub(super) async fn post_all(
        &self,
        account_id: AccountId,
        requests: Vec<Request>,
    ) -> Result<Vec<Result<Posted, LedgerError>>, LedgerError> {
        let (jobs, receivers): (Vec<_>, Vec<_>) = requests.into_iter().map(job).unzip();
        self.queue(account_id).push(account_id, jobs)?;
        let mut results = Vec::with_capacity(receivers.len());
        for receiver in receivers {
            results.push(wait(receiver).await);
        }
        Ok(results)
    }

    pub(super) fn totals(&self) -> PostingTotals {
        self.counts.totals()
    }

    pub(super) fn batch_sizes(&self) -> HistogramTotals {
        self.counts.batch_sizes()
    }

    /// Accepts no more commands, processes those that wait, and returns when the lanes have ended.
    pub(super) async fn shutdown(&self) {
        for queue in &self.queues {
            queue.close();
        }
        let lanes = std::mem::take(&mut *self.lanes.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        for lane in lanes {
            // The supervisor has already reported a lane that panicked.
            let _ = lane.await;
        }
    }

    fn queue(&self, account_id: AccountId) -> &Queue {
        let lane = account_id.number().unsigned_abs() % self.queues.len() as u64;
        // The value is less than the number of queues, so it fits.
        &self.queues[usize::try_from(lane).unwrap_or_default()]
    }
}

fn job(request: Request) -> (Job, oneshot::Receiver<queue::PostingResult>) {
    let (sender, receiver) = oneshot::channel();
    let span = trace::posting(request.command.operation());
    let request = Arc::new(request);
    (Job { request, sender, span }, receiver)
}

/// A lane that panics drops the senders of its pending results.
async fn wait(receiver: oneshot::Receiver<queue::PostingResult>) -> Result<Posted, LedgerError> {
    receiver
        .await
        .unwrap_or_else(|_| Err(Fault::Internal("the posting lane ended before it answered".to_owned()).into()))
}

#[cfg(test)]
mod tests;
