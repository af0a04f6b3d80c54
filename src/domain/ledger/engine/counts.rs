//! Counts of postings since the start of the process, for operators.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::domain::ledger::error::LedgerError;
use crate::primitives::histogram::{Histogram, HistogramTotals};

use super::batch::AccountOutcome;

/// What the lanes of this process have posted since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PostingTotals {
    /// Transactions that were committed.
    pub batches: u64,
    /// Commands that were accepted, including replays.
    pub posted: u64,
    /// Commands that were refused.
    pub refused: u64,
    /// Commands that failed because of a fault.
    pub failed: u64,
}

/// Lock-free counters.
#[derive(Debug)]
pub(super) struct Counts {
    batches: AtomicU64,
    sizes: Histogram,
    posted: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            batches: AtomicU64::default(),
            sizes: Histogram::of_sizes(),
            posted: AtomicU64::default(),
            refused: AtomicU64::default(),
            failed: AtomicU64::default(),
        }
    }
}

impl Counts {
    /// Counts the outcomes of a committed batch.
    pub(super) fn note(&self, outcomes: &[AccountOutcome]) {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.sizes
            .record_size(outcomes.iter().map(|outcome| outcome.results.len()).sum());
        for result in outcomes.iter().flat_map(|outcome| &outcome.results) {
            let count = match result {
                Ok(_) => &self.posted,
                Err(LedgerError::Fault(_)) => &self.failed,
                Err(_) => &self.refused,
            };
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns the numbers of commands in committed batches.
    pub(super) fn batch_sizes(&self) -> HistogramTotals {
        self.sizes.totals()
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
