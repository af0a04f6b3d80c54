//! Deletes what is old enough to be of no use: events that every reader has read, webhooks that were processed, and the results of
//! idempotency keys. Never a row of the ledger.
//!
//! Called by a worker and by the command `prune`. Without a setting nothing is deleted. Each transaction changes a bounded number of rows.
//! Invariants:
//! - The events of an account are deleted from the first one on, under the account's lock, which also stores where they begin now. So
//!   a missing event is still detected, and the last event stays.
//! - An event that was not read for alerts, not checked for findings, or of which no webhook messages were written yet, stays.
//! - A live cursor whose next event was deleted starts over: no follower skips an event.
//! - The row of an idempotency key stays. A key that has expired is refused, so a repeated request is never executed twice.
//! - Keys of Ledgerbell itself never expire, nor those of a top-up that is open: their results are still needed.

mod keys;

use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

use serde::Deserialize;

use super::database::Database;
use super::fault::Fault;
use super::ledger::{KeyPosition, Ledger};
use super::top_up::delete_processed_webhooks;
use super::webhook_endpoint;
use crate::primitives::clock::{Clock, Timestamp};
use crate::primitives::ids::AccountId;

/// The number of rows that one transaction changes. It is small, so that the transaction delays no other.
const ROWS: u32 = 500;
/// The accounts of one turn.
const ACCOUNTS: u32 = 100;
/// The steps of one turn about accounts: transactions about events, and reads of keys. A turn is short: it shows that the worker is well.
const STEPS: u32 = 100;
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
    /// Results of idempotency keys.
    #[serde(rename = "idempotency_keys_days")]
    pub idempotency_keys: Option<u16>,
}

/// The number of rows that were deleted, or emptied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Events of accounts.
    pub events: u64,
    /// Processed webhooks.
    pub webhooks: u64,
    /// Idempotency keys that have expired.
    pub idempotency_keys: u64,
}

impl AddAssign for Pruned {
    fn add_assign(&mut self, other: Self) {
        self.events += other.events;
        self.webhooks += other.webhooks;
        self.idempotency_keys += other.idempotency_keys;
    }
}

impl fmt::Display for Pruned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            events,
            webhooks,
            idempotency_keys,
        } = self;
        write!(
            f,
            "{events} events and {webhooks} webhooks were deleted, and {idempotency_keys} idempotency keys have expired"
        )
    }
}

/// How far the work has come: the accounts up to this one are done, and of the next one the keys up to this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    account_id: AccountId,
    key: Option<KeyPosition>,
}

/// A part of the work is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// What it deleted.
    pub pruned: Pruned,
    /// The number of accounts whose rows could not be deleted.
    pub failed: u32,
    /// Where the next turn continues; `None` after the last one.
    pub next: Option<Place>,
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

    /// Deletes some of the rows that are old enough: webhooks in the first turn, and those of the accounts from `place` on, a bounded
    /// number of accounts in each turn.
    pub async fn turn(&self, place: Option<Place>) -> Result<Turn, Fault> {
        let mut turn = Turn {
            pruned: Pruned::default(),
            failed: 0,
            next: None,
        };
        if place.is_none() {
            turn.pruned.webhooks = self.prune_webhooks().await?;
        }
        if self.settings.events.is_none() && self.settings.idempotency_keys.is_none() {
            return Ok(turn);
        }
        let mut place = place.unwrap_or(Place {
            account_id: AccountId::PLATFORM,
            key: None,
        });
        let accounts = self.ledger.accounts_after(Some(place.account_id), ACCOUNTS).await?;
        let mut left = STEPS;
        for account_id in &accounts {
            let done = self.prune_account(*account_id, &mut turn.pruned, &mut place.key, &mut left);
            if let Err(fault) = done.await {
                turn.failed += 1;
                tracing::warn!(account = account_id.number(), %fault, "old rows were not deleted; they are deleted later");
            }
            // The next turn continues with the same account.
            if left == 0 {
                break;
            }
            place = Place {
                account_id: *account_id,
                key: None,
            };
        }
        turn.next = (!accounts.is_empty()).then_some(place);
        Ok(turn)
    }

    /// Deletes old rows of an account, by at most `left` steps, which it counts down.
    async fn prune_account(
        &self,
        account_id: AccountId,
        pruned: &mut Pruned,
        key: &mut Option<KeyPosition>,
        left: &mut u32,
    ) -> Result<(), Fault> {
        if let Some(before) = self.kept_since(self.settings.events) {
            pruned.events += self.prune_events(account_id, before, left).await?;
        }
        if let Some(before) = self.kept_since(self.settings.idempotency_keys) {
            pruned.idempotency_keys += self.expire_keys(account_id, before, key, left).await?;
        }
        Ok(())
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
