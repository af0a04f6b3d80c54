//! What was posted since the process began, for operators.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::domain::ledger::error::LedgerError;

use super::batch::AccountOutcome;

/// What the lanes of this process have posted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PostingTotals {
    /// Transactions that were committed.
    pub batches: u64,
    /// Commands that were carried out, or had been before.
    pub posted: u64,
    /// Commands that were refused.
    pub refused: u64,
    /// Commands that failed for a fault of ours.
    pub failed: u64,
}

/// Counts, without making anybody wait.
#[derive(Debug, Default)]
pub(super) struct Counts {
    batches: AtomicU64,
    posted: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
}

impl Counts {
    /// A batch was committed, and came to this.
    pub(super) fn note(&self, outcomes: &[AccountOutcome]) {
        self.batches.fetch_add(1, Ordering::Relaxed);
        for result in outcomes.iter().flat_map(|outcome| &outcome.results) {
            let count = match result {
                Ok(_) => &self.posted,
                Err(LedgerError::Fault(_)) => &self.failed,
                Err(_) => &self.refused,
            };
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn totals(&self) -> PostingTotals {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        PostingTotals {
            batches: read(&self.batches),
            posted: read(&self.posted),
            refused: read(&self.refused),
            failed: read(&self.failed),
        }
    }
}
