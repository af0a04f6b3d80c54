//! Accounts that the bell has rung for, for a worker that processes the events of all accounts.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::primitives::ids::AccountId;

/// Beyond this number a ring is not recorded: the worker also finds accounts that no bell announced.
const MOST_KEPT: usize = 100_000;

/// Accounts that have new events since they were last taken. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Rung(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// `None` until the first call that takes them.
    accounts: Mutex<Option<HashSet<AccountId>>>,
    rings: Notify,
}

impl Rung {
    /// Waits for accounts with new events, and takes them. Those from before the first call are not included.
    pub async fn take(&self) -> Vec<AccountId> {
        loop {
            let rings = self.0.rings.notified();
            let taken = self.taken();
            if !taken.is_empty() {
                return taken;
            }
            rings.await;
        }
    }

    /// Takes the accounts that have new events by now, possibly none.
    pub fn taken(&self) -> Vec<AccountId> {
        let taken = self.with(|accounts| accounts.replace(HashSet::new()).unwrap_or_default());
        taken.into_iter().collect()
    }

    /// Adds these accounts again: there was more than could be processed at once.
    pub fn put_back(&self, accounts: Vec<AccountId>) {
        for account_id in accounts {
            self.ring(account_id);
        }
    }

    pub(super) fn ring(&self, account_id: AccountId) {
        let is_new = self.with(|accounts| {
            let wanted = accounts.as_mut().filter(|accounts| accounts.len() < MOST_KEPT);
            wanted.is_some_and(|accounts| accounts.insert(account_id))
        });
        if is_new {
            self.0.rings.notify_one();
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut Option<HashSet<AccountId>>) -> T) -> T {
        // No panic can happen in the middle of a change.
        change(&mut self.0.accounts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_account_is_taken_once_however_often_it_rings() {
        let rung = Rung::default();
        let account = AccountId::from_number;
        rung.ring(account(1));
        let taking = tokio::spawn({
            let rung = rung.clone();
            async move { rung.take().await }
        });
        while rung.with(|accounts| accounts.is_none()) {
            tokio::task::yield_now().await;
        }
        rung.ring(account(2));
        assert_eq!(taking.await.expect("ends"), [account(2)], "nobody wanted the first");
        rung.ring(account(3));
        rung.ring(account(3));
        assert_eq!(rung.take().await, [account(3)]);
    }
}
