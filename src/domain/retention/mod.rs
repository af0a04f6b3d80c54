//! Deletes what is old enough to be of no use: events that every reader has read, and webhooks that were processed. Never a row of the
//! ledger.
//!
//! Called by a worker and by the command `prune`. Without a setting nothing is deleted. Each transaction deletes a bounded number of rows.
//! Invariants:
//! - The events of an account are deleted from the first one on, under the account's lock, which also stores where they begin now. So
//!   a missing event is still detected, and the last event stays.
//! - An event that was not read for alerts, not checked for findings, or of which no webhook messages were written yet, stays.
//! - A live cursor whose next event was deleted starts over: no follower skips an event.

use std::time::Duration;

use serde::Deserialize;

use super::database::Database;
use super::fault::Fault;
use super::ledger::Ledger;
use super::top_up::delete_processed_webhooks;
use super::webhook_endpoint;
use crate::primitives::clock::{Clock, Timestamp};
use crate::primitives::ids::AccountId;

/// The number of rows that one transaction deletes. It is small, so that the transaction delays no other.
const ROWS: u32 = 500;
/// The accounts of one turn.
const ACCOUNTS: u32 = 100;
/// The transactions of one turn about events. A turn is short: it shows that the worker is well.
const EVENT_TURNS: u32 = 100;
/// The transactions of one turn about webhooks.
const TURNS: u32 = 10;
/// The length of a day.
const DAY: Duration = Duration::from_hours(24);

/// How long rows are kept, in days. Without a number they are kept for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct RetentionSettings {
    /// Events of accounts.
    #[serde(rename = "events_days")]
    pub events: Option<u16>,
    /// Processed webhooks of the payment gateway.
    #[serde(rename = "webhooks_days")]
    pub webhooks: Option<u16>,
}

/// The number of rows that were deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Events of accounts.
    pub events: u64,
    /// Processed webhooks.
    pub webhooks: u64,
}

/// A part of the work is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// What it deleted.
    pub pruned: Pruned,
    /// The number of accounts whose events could not be deleted.
    pub failed: u32,
    /// Where the next turn continues; `None` after the last one.
    pub next: Option<AccountId>,
}

/// Deletes old rows. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Retention {
    database: Database,
    clock: Clock,
    ledger: Ledger,
    settings: RetentionSettings,
}

impl Retention {
    /// Deletes rows of `database` by these settings.
    pub fn new((database, clock): (Database, Clock), ledger: Ledger, settings: RetentionSettings) -> Self {
        Self {
            database,
            clock,
            ledger,
            settings,
        }
    }

    /// Deletes some of the rows that are old enough: webhooks in the first turn, and the events of the accounts after `after`, a bounded
    /// number of accounts in each turn.
    pub async fn turn(&self, after: Option<AccountId>) -> Result<Turn, Fault> {
        let mut pruned = Pruned::default();
        if after.is_none() {
            pruned.webhooks = self.prune_webhooks().await?;
        }
        let Some(before) = self.kept_since(self.settings.events) else {
            return Ok(Turn {
                pruned,
                failed: 0,
                next: None,
            });
        };
        let accounts = self.ledger.accounts_after(after, ACCOUNTS).await?;
        let (mut left, mut failed) = (EVENT_TURNS, 0);
        let mut done = after.unwrap_or(AccountId::PLATFORM);
        for account_id in &accounts {
            match self.prune_events(*account_id, before, &mut left).await {
                Ok(events) => pruned.events += events,
                Err(fault) => {
                    failed += 1;
                    tracing::warn!(account = account_id.number(), %fault, "old events were not deleted; they are deleted later");
                }
            }
            // The next turn continues with the same account.
            if left == 0 {
                break;
            }
            done = *account_id;
        }
        Ok(Turn {
            pruned,
            failed,
            next: (!accounts.is_empty()).then_some(done),
        })
    }

    /// Deletes old events of an account, by at most `left` transactions, which it counts down.
    async fn prune_events(&self, account_id: AccountId, before: Timestamp, left: &mut u32) -> Result<u64, Fault> {
        let mut events = 0;
        while *left > 0 && self.ledger.has_events_before(account_id, before).await? {
            *left -= 1;
            let until = webhook_endpoint::collected_until(&self.database, account_id).await?;
            let deleted = self
                .ledger
                .delete_events_before(account_id, before, until, ROWS)
                .await?;
            events += deleted;
            // Some are not read yet.
            if deleted == 0 {
                break;
            }
        }
        Ok(events)
    }

    async fn prune_webhooks(&self) -> Result<u64, Fault> {
        let mut webhooks = 0;
        let Some(before) = self.kept_since(self.settings.webhooks) else {
            return Ok(webhooks);
        };
        for _ in 0..TURNS {
            let deleted = delete_processed_webhooks(&self.database, before, ROWS).await?;
            webhooks += deleted;
            if deleted < u64::from(ROWS) {
                break;
            }
        }
        Ok(webhooks)
    }

    fn kept_since(&self, days: Option<u16>) -> Option<Timestamp> {
        let time = DAY.checked_mul(u32::from(days?))?;
        Some(self.clock.now().plus_millis(-i64::try_from(time.as_millis()).ok()?))
    }
}
