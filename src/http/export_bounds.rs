//! How many exports are made at a time.
//!
//! A file is made in pieces, and a piece is work: few are made at the same time, in turn, however many files are downloaded. So
//! downloads wait for one another and not everybody else for them. An account has few downloads open, so that others have theirs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::primitives::ids::AccountId;

/// What exports may take.
#[derive(Clone, Copy, Debug)]
pub struct ExportLimits {
    /// How often a link may be followed.
    pub uses: u32,
    /// Downloads of one account's log at a time, in this process.
    pub per_account: usize,
    /// Pieces that are made at a time, in this process.
    pub at_a_time: usize,
}

/// The exports of this process. Cloning shares the counts.
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

    /// One more download of an account's log; `None` when there are as many as may be.
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
        // Counting cannot panic half-way.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A download counts for as long as this lives.
#[derive(Debug)]
pub(super) struct Download {
    shared: Arc<Shared>,
    account_id: AccountId,
}

impl Download {
    /// Waits for the turn to make a piece, in the order of those who wait. It ends when the permit is dropped.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
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
