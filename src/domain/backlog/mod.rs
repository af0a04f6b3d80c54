//! What work is owed, and since when: how operators see whether workers keep up.
//!
//! Called by the command `doctor` and by the figures for operators. Nothing here writes. Each row that owes work says when it is due, under an index of its own; a
//! claim is a due time that was moved into the future, so one whose worker died is work that is due again.
//!
//! Invariant: each question is one statement that looks at [`MOST_COUNTED`] rows at the most, whatever the number of accounts.

mod store;

use crate::domain::database::Database;
use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;

/// Rows that are counted at the most.
pub const MOST_COUNTED: i64 = 1_000;

/// One kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// A word for it.
    pub name: &'static str,
    /// What waits, in words.
    pub what: &'static str,
    /// How much of it is due, up to [`MOST_COUNTED`].
    pub waiting: i64,
    /// Since when the oldest of it is.
    pub oldest: Option<Timestamp>,
}

impl Queue {
    /// How long the oldest work has been due, in milliseconds.
    pub fn lag(&self, now: Timestamp) -> i64 {
        self.oldest
            .map_or(0, |oldest| now.millis().saturating_sub(oldest.millis()).max(0))
    }
}

/// What no worker will get done by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stuck {
    /// Webhooks that were given up.
    pub parked_webhooks: i64,
    /// Charges of which nobody has found out for a day what came of them.
    pub unsettled_charges: i64,
    /// Refunds of the last 30 days that the payment gateway refused, or that failed there later, and after which nobody has asked
    /// for another one.
    pub failed_refunds: i64,
    /// Mails whose sender took them up and has not been heard of.
    pub lost_mails: i64,
}

/// The work that is owed. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Backlog {
    database: Database,
}

impl Backlog {
    /// Of this database.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// All kinds of work that are done later, with what of each is due at `now`.
    pub async fn queues(&self, now: Timestamp) -> Result<Vec<Queue>, Fault> {
        let mut queues = Vec::new();
        for due in store::DUE {
            queues.push(store::due(&self.database, due, now).await?);
        }
        Ok(queues)
    }

    /// What no worker will get done by itself.
    pub async fn stuck(&self, now: Timestamp) -> Result<Stuck, Fault> {
        store::stuck(&self.database, now).await
    }
}
