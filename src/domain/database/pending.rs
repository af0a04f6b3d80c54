//! Counts pending items and their age, up to a bound, so that a count costs the same however many there are.

use super::{Database, records};
use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;

/// Rows that are counted, at most. Beyond that the exact number does not matter.
pub const MOST_COUNTED: u32 = 10_000;

/// The number and the age of pending items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PendingItems {
    /// The number of items, up to [`MOST_COUNTED`].
    pub count: i64,
    /// Since when the oldest item has waited.
    pub since: Option<Timestamp>,
}

impl Database {
    /// Counts the rows of `rows`, a query that returns a column `since`.
    pub async fn count_pending(&self, rows: &'static str) -> Result<PendingItems, Fault> {
        let sql = format!("SELECT COUNT(*) AS many, MIN(since) AS since FROM ({rows} LIMIT {MOST_COUNTED}) AS counted");
        let (count, since) = records::value(self.read(), sql, []).await?.unwrap_or_default();
        Ok(PendingItems { count, since })
    }
}
