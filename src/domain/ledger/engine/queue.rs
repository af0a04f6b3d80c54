//! The queue of a lane, ordered by account.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};
use tracing::Span;

use crate::domain::fault::Fault;
use crate::domain::ledger::balance::Posted;
use crate::domain::ledger::error::LedgerError;
use crate::domain::ledger::model::Request;
use crate::primitives::ids::AccountId;

use super::EngineSettings;

/// The seconds after which a client retries after BUSY.
const RETRY_AFTER_SECONDS: u32 = 1;

/// The result of one command.
pub(super) type PostingResult = Result<Posted, LedgerError>;

/// A waiting command, and the sender of its result.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) request: Arc<Request>,
    pub(super) sender: oneshot::Sender<PostingResult>,
    /// The span of the command in a trace.
    pub(super) span: Span,
}

/// The commands of one account that go into one batch, in order.
pub(super) type AccountJobs = (AccountId, Vec<Job>);

/// The queue of one lane.
///
/// It is bounded for each account, so that one busy account neither grows without end nor takes space from others. Accounts
/// take turns. Within one account the order of arrival is kept.
#[derive(Debug)]
pub(super) struct Queue {
    backlog: Mutex<Backlog>,
    arrived: Notify,
    settings: EngineSettings,
}

/// The commands that wait for a batch.
#[derive(Debug, Default)]
struct Backlog {
    accounts: HashMap<AccountId, VecDeque<Job>>,
    /// Each account with waiting commands, once, in the order in which they are served.
    turns: VecDeque<AccountId>,
    closed: bool,
}

impl Queue {
    pub(super) fn new(settings: EngineSettings) -> Self {
        Self {
            backlog: Mutex::default(),
            arrived: Notify::new(),
            settings,
        }
    }

    /// Adds all of `jobs`, adjacent and in order, or none.
    pub(super) fn push(&self, account_id: AccountId, jobs: Vec<Job>) -> Result<(), LedgerError> {
        if jobs.is_empty() {
            // An account without waiting commands must not be in `turns`.
            return Ok(());
        }
        let mut backlog = self.lock();
        if backlog.closed {
            return Err(Fault::Unavailable("the posting engine is stopping".to_owned()).into());
        }
        let Backlog { accounts, turns, .. } = &mut *backlog;
        let queued = accounts.entry(account_id).or_default();
        if queued.len() + jobs.len() > self.settings.queue_limit {
            return Err(LedgerError::Busy {
                retry_after_seconds: RETRY_AFTER_SECONDS,
            });
        }
        if queued.is_empty() {
            turns.push_back(account_id);
        }
        queued.extend(jobs);
        drop(backlog);
        self.arrived.notify_one();
        Ok(())
    }

    /// Returns the next batch: all waiting commands, within the bounds. `None` once the queue is closed and
    /// empty.
    pub(super) async fn take(&self) -> Option<Vec<AccountJobs>> {
        loop {
            let arrived = self.arrived.notified();
            {
                let mut backlog = self.lock();
                let batch = backlog.batch(&self.settings);
                if !batch.is_empty() {
                    return Some(batch);
                }
                if backlog.closed {
                    return None;
                }
            }
            arrived.await;
        }
    }

    /// Accepts no more commands. Waiting commands are still served.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Backlog> {
        // No panic can happen in the middle of a change, so a poisoned queue is consistent.
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backlog {
    fn batch(&mut self, settings: &EngineSettings) -> Vec<AccountJobs> {
        let mut room = settings.max_batch;
        // An account fills at most half a batch while others wait.
        let share = if self.turns.len() > 1 {
            (settings.max_batch / 2).max(1)
        } else {
            settings.max_batch
        };
        let mut batch = Vec::new();
        for _ in 0..self.turns.len().min(settings.accounts_per_transaction) {
            if room == 0 {
                break;
            }
            let Some(account_id) = self.turns.pop_front() else {
                break;
            };
            let Some(queued) = self.accounts.get_mut(&account_id) else {
                continue;
            };
            let jobs = take_jobs(queued, room.min(share));
            room -= jobs.len();
            if queued.is_empty() {
                self.accounts.remove(&account_id);
            } else {
                self.turns.push_back(account_id);
            }
            batch.push((account_id, jobs));
        }
        batch
    }
}

/// Returns the first jobs of an account, up to `limit` or up to a job that needs more than its batch's
/// working set.
fn take_jobs(queued: &mut VecDeque<Job>, limit: usize) -> Vec<Job> {
    let last = queued
        .iter()
        .take(limit)
        .position(|job| job.request.command.ends_batch());
    let count = last.map_or(limit.min(queued.len()), |at| at + 1);
    queued.drain(..count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_takes_no_turn() {
        let queue = Queue::new(EngineSettings::ONE_WRITER);
        for _ in 0..300 {
            queue
                .push(AccountId::from_number(1), Vec::new())
                .expect("nothing is refused");
        }
        assert!(queue.lock().turns.is_empty());
        assert!(queue.lock().accounts.is_empty());
    }
}
