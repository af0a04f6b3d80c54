//! What waits for a lane, account by account.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

use crate::domain::fault::Fault;
use crate::domain::ledger::balance::Posted;
use crate::domain::ledger::error::LedgerError;
use crate::domain::ledger::model::Request;
use crate::primitives::ids::AccountId;

use super::EngineSettings;

/// What one command gets back.
pub(super) type Answer = Result<Posted, LedgerError>;

/// A command on its way, and who waits for it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) request: Arc<Request>,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// The commands of one account that go into one batch, in order.
pub(super) type AccountJobs = (AccountId, Vec<Job>);

/// One lane's queue.
///
/// Bounded account by account, so that one that is stormed neither grows without end nor takes room from others. Accounts take
/// turns; within one the order of arrival is kept.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Notify,
    settings: EngineSettings,
}

#[derive(Debug, Default)]
struct Waiting {
    accounts: HashMap<AccountId, VecDeque<Job>>,
    /// Each account with something waiting, once, in the order of their turns.
    turns: VecDeque<AccountId>,
    closed: bool,
}

impl Queue {
    pub(super) fn new(settings: EngineSettings) -> Self {
        Self {
            waiting: Mutex::default(),
            arrived: Notify::new(),
            settings,
        }
    }

    /// Takes all of `jobs` in, next to each other and in order, or none.
    pub(super) fn push(&self, account_id: AccountId, jobs: Vec<Job>) -> Result<(), LedgerError> {
        if jobs.is_empty() {
            // An account without anything waiting must not have a turn.
            return Ok(());
        }
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(Fault::Unavailable("the posting engine is stopping".to_owned()).into());
        }
        let Waiting { accounts, turns, .. } = &mut *waiting;
        let queued = accounts.entry(account_id).or_default();
        if queued.len() + jobs.len() > self.settings.queue_limit {
            return Err(LedgerError::Busy {
                retry_after_seconds: self.settings.retry_after_seconds,
            });
        }
        if queued.is_empty() {
            turns.push_back(account_id);
        }
        queued.extend(jobs);
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    /// The next batch: whatever has queued up, within the bounds. `None` once the queue is closed and empty.
    pub(super) async fn take(&self) -> Option<Vec<AccountJobs>> {
        loop {
            let arrived = self.arrived.notified();
            {
                let mut waiting = self.lock();
                let batch = waiting.batch(&self.settings);
                if !batch.is_empty() {
                    return Some(batch);
                }
                if waiting.closed {
                    return None;
                }
            }
            arrived.await;
        }
    }

    /// Takes nothing more in. What waits is still served.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Every change is complete before anything could panic, so a poisoned queue is still whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
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

/// The first jobs of an account, up to `limit` or up to one that reaches beyond its batch's working set.
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
