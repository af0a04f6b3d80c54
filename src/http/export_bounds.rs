//! Limits the number of exports that are produced at the same time.
//!
//! Producing a piece of a file takes processor time and up to two database connections: one for the names in it, and one for the
//! chunk after it. Only a few pieces are produced at the same time, in turn, for any number of downloads. So downloads wait for one
//! another, and other requests do not wait for them. Each account has a limit of open downloads, so that others get a share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::primitives::ids::AccountId;

/// Limits of exports.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct ExportLimits {
    /// The number of times that a link can be used.
    pub uses: u32,
    /// Concurrent downloads of one account's log, in this process.
    pub per_account: usize,
    /// Pieces that are produced at the same time, in this process.
    pub at_a_time: usize,
}

/// The exports of this process. Clones share the counts.
#[derive(Clone, Debug)]
pub(super) struct Exports(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    per_account: usize,
    open: Mutex<HashMap<AccountId, usize>>,
    work: Arc<Semaphore>,
}

impl Exports {
    pub(super) fn new(limits: ExportLimits) -> Self {
        Self(Arc::new(Shared {
            per_account: limits.per_account,
            open: Mutex::default(),
            work: Arc::new(Semaphore::new(limits.at_a_time)),
        }))
    }

    /// Counts one more download of an account's log. Returns `None` at the limit.
    pub(super) fn open(&self, account_id: AccountId) -> Option<Download> {
        let mut open = self.0.open();
        let count = open.entry(account_id).or_default();
        if *count >= self.0.per_account {
            return None;
        }
        *count += 1;
        let shared = Arc::clone(&self.0);
        Some(Download { shared, account_id })
    }
}

impl Shared {
    fn open(&self) -> MutexGuard<'_, HashMap<AccountId, usize>> {
        // The lock is never poisoned with a wrong count: counting cannot panic.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts one download until it is dropped.
#[derive(Debug)]
pub(super) struct Download {
    shared: Arc<Shared>,
    account_id: AccountId,
}

impl Download {
    /// Waits for a permit to produce a piece, in the order of arrival. Dropping the permit lets the next one
    /// start.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed.
        Arc::clone(&self.shared.work).acquire_owned().await.ok()
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        let mut open = self.shared.open();
        if let Some(count) = open.get_mut(&self.account_id) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.account_id);
            }
        }
    }
}
