//! One lane: a loop of batches, and a supervisor that restarts it after a panic.

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
            self.serve(batch).await;
        }
    }

    /// Posts a batch. If that fails for good, posts its accounts one by one, then their commands one by one.
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
                    tracing::error!(%fault, "a batch failed; its parts are executed separately");
                    for part in parts(&requests, attempt.answers).into_iter().rev() {
                        work.push_front(part);
                    }
                }
                Err(fault) => {
                    tracing::error!(%fault, "a batch failed");
                    for answer in attempt.answers.into_iter().flatten() {
                        // The caller may have gone away. Then the answer is not needed.
                        let _ = answer.send(Err(fault.clone().into()));
                    }
                }
            }
        }
    }

    /// Answers before it announces events. A subscriber may be the caller, who should get the payload before
    /// the event.
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

/// Whether the cause may lie in a part of the batch, so that the other parts succeed alone. A lock on an account's row
/// affects all its commands; a lost database affects all accounts.
fn may_be_of_one_part(fault: &Fault, answers: &[Vec<oneshot::Sender<Answer>>]) -> bool {
    match fault {
        Fault::Internal(_) => answers.iter().flatten().count() > 1,
        Fault::Contended(_) => answers.len() > 1,
        Fault::Unavailable(_) => false,
    }
}

/// Commands that share a transaction, and the receiver of each answer, in the same order.
struct Attempt {
    requests: Vec<AccountRequests>,
    answers: Vec<Vec<oneshot::Sender<Answer>>>,
}

fn split((account_id, jobs): AccountJobs) -> (AccountRequests, Vec<oneshot::Sender<Answer>>) {
    let (requests, answers) = jobs.into_iter().map(|job| (job.request, job.answer)).unzip();
    (AccountRequests { account_id, requests }, answers)
}

/// Returns one attempt for each account, or for each command where there is only one account.
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
