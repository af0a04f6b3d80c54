//! One lane: a loop of batches, and a supervisor that restarts it after a panic.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tracing::{Instrument as _, Span};

use crate::domain::event::Bell;
use crate::domain::fault::Fault;
use crate::primitives::trace;

use super::EngineSettings;
use super::batch::{AccountOutcome, AccountRequests, Poster};
use super::counts::Counts;
use super::queue::{AccountJobs, PostingResult, Queue};

/// Posts the batches of its queue, one after another.
pub(super) struct Lane {
    pub(super) queue: Arc<Queue>,
    poster: Arc<Poster>,
    bell: Arc<dyn Bell>,
    counts: Arc<Counts>,
}

/// Runs a lane until its queue is closed and empty. Restarts it after each panic.
pub(super) async fn keep_running(lane: Arc<Lane>) {
    loop {
        let run = tokio::spawn({
            let lane = Arc::clone(&lane);
            async move { lane.run().await }
        });
        match run.await {
            Ok(()) => return,
            Err(death) => {
                tracing::error!(%death, "a posting lane died and is restarted");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

impl Lane {
    pub(super) fn new(poster: Arc<Poster>, bell: Arc<dyn Bell>, counts: Arc<Counts>, settings: EngineSettings) -> Self {
        Self {
            queue: Arc::new(Queue::new(settings)),
            poster,
            bell,
            counts,
        }
    }

    async fn run(&self) {
        while let Some(batch) = self.queue.take().await {
            let span = span(&batch);
            self.serve(batch).instrument(span).await;
        }
    }

    /// Posts a batch. If that fails for good, posts its accounts one by one, then their commands one by one.
    async fn serve(&self, batch: Vec<AccountJobs>) {
        let (requests, senders) = batch.into_iter().map(split).unzip();
        let mut work = VecDeque::from([Attempt { requests, senders }]);
        while let Some(attempt) = work.pop_front() {
            let requests = Arc::new(attempt.requests);
            match self.poster.post(Arc::clone(&requests)).await {
                Ok(outcomes) => {
                    self.counts.note(&outcomes);
                    self.finish(outcomes, attempt.senders);
                }
                Err(fault) if may_be_of_one_part(&fault, &attempt.senders) => {
                    tracing::error!(%fault, "a batch failed; its parts are executed separately");
                    for part in parts(&requests, attempt.senders).into_iter().rev() {
                        work.push_front(part);
                    }
                }
                Err(fault) => {
                    tracing::error!(%fault, "a batch failed");
                    for sender in attempt.senders.into_iter().flatten() {
                        // The caller may have gone away. Then the result is not needed.
                        let _ = sender.send(Err(fault.clone().into()));
                    }
                }
            }
        }
    }

    /// Sends the results before it announces events. A subscriber may be the caller, who should get the payload before
    /// the event.
    fn finish(&self, outcomes: Vec<AccountOutcome>, senders: Vec<Vec<oneshot::Sender<PostingResult>>>) {
        let mut rings = Vec::with_capacity(outcomes.len());
        for (outcome, senders) in outcomes.into_iter().zip(senders) {
            rings.extend(outcome.event_sequence.map(|sequence| (outcome.account_id, sequence)));
            for movement in &outcome.movements {
                movement.log(outcome.account_id);
            }
            for (result, sender) in outcome.results.into_iter().zip(senders) {
                let _ = sender.send(result);
            }
        }
        for (account_id, sequence) in rings {
            self.bell.ring(account_id, sequence);
        }
    }
}

/// Whether the cause may lie in a part of the batch, so that the other parts succeed alone. A lock on an account's row
/// affects all its commands; a lost database affects all accounts.
fn may_be_of_one_part(fault: &Fault, senders: &[Vec<oneshot::Sender<PostingResult>>]) -> bool {
    match fault {
        Fault::Internal(_) => senders.iter().flatten().count() > 1,
        Fault::Contended(_) => senders.len() > 1,
        Fault::Unavailable(_) => false,
    }
}

/// Commands that share a transaction, and the sender of each result, in the same order.
struct Attempt {
    requests: Vec<AccountRequests>,
    senders: Vec<Vec<oneshot::Sender<PostingResult>>>,
}

/// Returns the span of a batch in the trace of its first command.
fn span(batch: &[AccountJobs]) -> Span {
    let postings = batch.iter().flat_map(|(_, jobs)| jobs.iter().map(|job| &job.span));
    trace::batch(postings)
}

fn split((account_id, jobs): AccountJobs) -> (AccountRequests, Vec<oneshot::Sender<PostingResult>>) {
    let (requests, senders) = jobs.into_iter().map(|job| (job.request, job.sender)).unzip();
    (AccountRequests { account_id, requests }, senders)
}

/// Returns one attempt for each account, or for each command where there is only one account.
fn parts(requests: &[AccountRequests], senders: Vec<Vec<oneshot::Sender<PostingResult>>>) -> Vec<Attempt> {
    if requests.len() > 1 {
        return requests
            .iter()
            .zip(senders)
            .map(|(requests, senders)| Attempt {
                requests: vec![requests.clone()],
                senders: vec![senders],
            })
            .collect();
    }
    let one_by_one = |of: &AccountRequests, senders: Vec<oneshot::Sender<PostingResult>>| -> Vec<Attempt> {
        of.requests
            .iter()
            .zip(senders)
            .map(|(request, sender)| Attempt {
                requests: vec![AccountRequests {
                    account_id: of.account_id,
                    requests: vec![Arc::clone(request)],
                }],
                senders: vec![vec![sender]],
            })
            .collect()
    };
    requests
        .iter()
        .zip(senders)
        .flat_map(|(of, senders)| one_by_one(of, senders))
        .collect()
}
