//! One lane: a loop of batches, and a keeper that starts it again when it dies.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::domain::event::Bell;
use crate::domain::fault::Fault;

use super::EngineSettings;
use super::batch::{AccountOutcome, AccountRequests, Poster};
use super::counts::Counts;
use super::queue::{AccountJobs, Answer, Queue};

/// Posts what its queue gives, batch after batch.
pub(super) struct Lane {
    pub(super) queue: Arc<Queue>,
    poster: Arc<Poster>,
    bell: Arc<dyn Bell>,
    counts: Arc<Counts>,
}

/// Runs a lane until its queue is closed and empty, starting it again whenever it dies.
pub(super) async fn keep_running(lane: Arc<Lane>) {
    loop {
        let run = tokio::spawn({
            let lane = Arc::clone(&lane);
            async move { lane.run().await }
        });
        match run.await {
            Ok(()) => return,
            Err(death) => {
                tracing::error!(%death, "a posting lane died and is started again");
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
            self.serve(batch).await;
        }
    }

    /// Posts a batch; when that fails for good, its accounts one by one, then their commands one by one.
    async fn serve(&self, batch: Vec<AccountJobs>) {
        let (requests, answers) = batch.into_iter().map(split).unzip();
        let mut work = VecDeque::from([Attempt { requests, answers }]);
        while let Some(attempt) = work.pop_front() {
            let requests = Arc::new(attempt.requests);
            match self.poster.post(Arc::clone(&requests)).await {
                Ok(outcomes) => {
                    self.counts.note(&outcomes);
                    self.answer(outcomes, attempt.answers);
                }
                Err(fault) if may_be_of_one_part(&fault, &attempt.answers) => {
                    tracing::error!(%fault, "a batch failed; its parts are tried alone");
                    for part in parts(&requests, attempt.answers).into_iter().rev() {
                        work.push_front(part);
                    }
                }
                Err(fault) => {
                    tracing::error!(%fault, "a batch failed");
                    for answer in attempt.answers.into_iter().flatten() {
                        // Whoever hung up does not want it.
                        let _ = answer.send(Err(fault.clone().into()));
                    }
                }
            }
        }
    }

    /// Answers first: a subscriber may well be the caller, who should have the payload before the event.
    fn answer(&self, outcomes: Vec<AccountOutcome>, answers: Vec<Vec<oneshot::Sender<Answer>>>) {
        let mut rings = Vec::with_capacity(outcomes.len());
        for (outcome, answers) in outcomes.into_iter().zip(answers) {
            rings.extend(outcome.event_sequence.map(|sequence| (outcome.account_id, sequence)));
            for movement in &outcome.movements {
                movement.log(outcome.account_id);
            }
            for (result, answer) in outcome.results.into_iter().zip(answers) {
                let _ = answer.send(result);
            }
        }
        for (account_id, sequence) in rings {
            self.bell.ring(account_id, sequence);
        }
    }
}

/// Whether a part of the batch may be to blame, and the others do better alone. Who holds an account's row is in the way of
/// all its commands, and a database that is gone of everybody's.
fn may_be_of_one_part(fault: &Fault, answers: &[Vec<oneshot::Sender<Answer>>]) -> bool {
    match fault {
        Fault::Internal(_) => answers.iter().flatten().count() > 1,
        Fault::Contended(_) => answers.len() > 1,
        Fault::Unavailable(_) => false,
    }
}

/// Commands that share a transaction, and who waits for each, in the same order.
struct Attempt {
    requests: Vec<AccountRequests>,
    answers: Vec<Vec<oneshot::Sender<Answer>>>,
}

fn split((account_id, jobs): AccountJobs) -> (AccountRequests, Vec<oneshot::Sender<Answer>>) {
    let (requests, answers) = jobs.into_iter().map(|job| (job.request, job.answer)).unzip();
    (AccountRequests { account_id, requests }, answers)
}

/// One attempt for each account, or for each command where there is one account only.
fn parts(requests: &[AccountRequests], answers: Vec<Vec<oneshot::Sender<Answer>>>) -> Vec<Attempt> {
    if requests.len() > 1 {
        return requests
            .iter()
            .zip(answers)
            .map(|(requests, answers)| Attempt {
                requests: vec![requests.clone()],
                answers: vec![answers],
            })
            .collect();
    }
    let one_by_one = |of: &AccountRequests, answers: Vec<oneshot::Sender<Answer>>| -> Vec<Attempt> {
        of.requests
            .iter()
            .zip(answers)
            .map(|(request, answer)| Attempt {
                requests: vec![AccountRequests {
                    account_id: of.account_id,
                    requests: vec![Arc::clone(request)],
                }],
                answers: vec![vec![answer]],
            })
            .collect()
    };
    requests
        .iter()
        .zip(answers)
        .flat_map(|(of, answers)| one_by_one(of, answers))
        .collect()
}
