//! Limits on how often something may be done in a time, counted in the database: all processes share a count, and a restart keeps
//! it.
//!
//! Called by the modules that send mail on request, and for links to exports. A count starts with the first use and starts over when
//! its time is up. A worker deletes what has ended.
//!
//! Invariant: the quotas of one action are spent in the given order, after any account's lock, and nothing is locked after them. So
//! two transactions that share some of them never wait for each other in a cycle, as long as callers keep one order.

mod store;

use super::database::{Database, Transaction};
use super::fault::Fault;
use crate::primitives::clock::{Clock, Timestamp};

/// A bound on how often an action is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// The action that is counted. Stored: never renamed.
    pub scope: &'static str,
    /// Identifies the owner of the count: an account, an actor, an address or a link.
    pub subject: Vec<u8>,
    /// How often it may be done…
    pub most: u32,
    /// …within this time.
    pub millis: i64,
}

/// A quota is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// The scope of the quota.
    pub scope: &'static str,
    /// When the count starts over.
    pub until: Timestamp,
}

impl Exhausted {
    /// Seconds until the count starts over.
    pub fn retry_after_seconds(&self, now: Timestamp) -> u32 {
        let millis = self.until.millis() - now.millis();
        u32::try_from((millis + 999) / 1_000).unwrap_or(u32::MAX).max(1)
    }
}

/// Access to all counts. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Quotas {
    database: Database,
    clock: Clock,
}

impl Quotas {
    /// Counts in `database`.
    pub fn new((database, clock): (Database, Clock)) -> Self {
        Self { database, clock }
    }

    /// Deletes up to `limit` counts that have ended. Returns their number.
    pub async fn delete_ended(&self, limit: u32) -> Result<u64, Fault> {
        let now = self.clock.now();
        self.database
            .transaction(move |tx| Box::pin(async move { store::delete_ended(tx, now, limit).await }))
            .await
    }
}

/// Uses each of these quotas once. If one of them is used up, the others are unchanged, and it is returned: the caller must not
/// do the action.
pub(in crate::domain) async fn spend(
    tx: &Transaction,
    quotas: &[Quota],
    now: Timestamp,
) -> Result<Option<Exhausted>, Fault> {
    if let Some(exhausted) = exhausted(tx, quotas, now).await? {
        return Ok(Some(exhausted));
    }
    for quota in quotas {
        if !store::spend(tx, quota, now).await? {
            // Another transaction took the last use in between.
            let until = now.plus_millis(quota.millis);
            return Ok(Some(Exhausted {
                scope: quota.scope,
                until,
            }));
        }
    }
    Ok(None)
}

/// Returns the first of these quotas that is used up.
pub(in crate::domain) async fn exhausted(
    tx: &Transaction,
    quotas: &[Quota],
    now: Timestamp,
) -> Result<Option<Exhausted>, Fault> {
    for quota in quotas {
        let Some((until, used)) = store::used(tx, quota).await? else {
            if quota.most == 0 {
                let until = now.plus_millis(quota.millis);
                return Ok(Some(Exhausted {
                    scope: quota.scope,
                    until,
                }));
            }
            continue;
        };
        if now < until && used >= i64::from(quota.most) {
            return Ok(Some(Exhausted {
                scope: quota.scope,
                until,
            }));
        }
    }
    Ok(None)
}
