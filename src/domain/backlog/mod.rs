//! The backlog of the workers: how much work is pending and since when, so that operators see whether workers keep up.
//!
//! Called by the command `doctor` and by the figures for operators. This module writes nothing. A row with pending work has a due time,
//! under an index of its own. A claim is a due time that was moved into the future. So if the claiming worker dies, the work becomes due
//! again.
//!
//! Invariant: each question reads at most [`MOST_COUNTED`] rows of a kind, whatever the number of accounts.

mod store;

use crate::domain::database::Database;
use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;

/// Rows that are counted, at most.
pub const MOST_COUNTED: i64 = 1_000;

/// The backlog of one kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// A short name, used as a label of metrics.
    pub name: &'static str,
    /// A human-readable description of the waiting items.
    pub what: &'static str,
    /// Number of due items, up to [`MOST_COUNTED`].
    pub waiting: i64,
    /// The due time of the oldest item.
    pub oldest: Option<Timestamp>,
}

impl Queue {
    /// Returns how long the oldest work has been due, in milliseconds.
    pub fn lag(&self, now: Timestamp) -> i64 {
        self.oldest
            .map_or(0, |oldest| now.millis().saturating_sub(oldest.millis()).max(0))
    }
}

/// Work that no worker finishes automatically.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stuck {
    /// Webhooks that could not be processed and are no longer retried.
    pub parked_webhooks: i64,
    /// Charges whose result has been unknown for a day.
    pub unsettled_charges: i64,
    /// Refunds of the last 30 days that the payment gateway refused, or that failed there later, and that were not requested
    /// again.
    pub failed_refunds: i64,
    /// Mails that a sender claimed and did not finish.
    pub lost_mails: i64,
    /// Webhook endpoints that were disabled because they are gone or failed for days.
    pub disabled_webhook_endpoints: i64,
    /// Those among them that get the events of all accounts. No team is notified of them.
    pub disabled_platform_webhook_endpoints: i64,
}

/// Reads the backlogs. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Backlog {
    database: Database,
}

impl Backlog {
    /// Reads from this database.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Returns all kinds of deferred work, each with what is due at `now`.
    pub async fn queues(&self, now: Timestamp) -> Result<Vec<Queue>, Fault> {
        let mut queues = Vec::new();
        for due in store::DUE {
            queues.push(store::due(&self.database, due, now).await?);
        }
        Ok(queues)
    }

    /// Returns the work that no worker finishes automatically.
    pub async fn stuck(&self, now: Timestamp) -> Result<Stuck, Fault> {
        store::stuck(&self.database, now).await
    }
}
