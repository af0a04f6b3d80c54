//! Who pays for what a subscription executes, and what becomes of one that cannot.
//!
//! A message is executed once for its audience. The subscription that has it made pays for that; the others pay for its delivery.
//! What is owed is paid before a message is handed over. So the messages of a caller whose allowance is used up are late, and what
//! happens meanwhile waits in the stream: nothing is lost. A subscription that is behind for a minute ends, and its last cursor
//! stays good.

use std::sync::Arc;
use std::time::Duration;

use super::LiveEnd;
use crate::graphql::errors::rate_limited;
use crate::primitives::clock::Clock;

/// How long a subscription may be behind with what it owes.
const BEHIND_AT_MOST: Duration = Duration::from_secs(60);
/// It is no longer behind when it has not had to wait for this long, or has paid for a whole message without waiting.
const RECOVERED: Duration = Duration::from_secs(10);
/// Bytes whose delivery costs a unit.
const BYTES_A_UNIT: usize = 4_096;

/// Pays for what a subscription executes.
pub trait Purse: Send + Sync {
    /// Takes a cost from the caller's allowance; or returns how long to wait until that can be done.
    fn charge(&self, cost: u64) -> Result<(), Duration>;
}

/// Pays without counting.
pub(super) struct Unlimited;

impl Purse for Unlimited {
    fn charge(&self, _: u64) -> Result<(), Duration> {
        Ok(())
    }
}

/// What one subscription owes, or has paid in advance.
pub(super) struct Bill {
    purse: Arc<dyn Purse>,
    owed: u64,
    prepaid: u64,
    /// The price of a message. No more is paid at once: allowances hold what an operation may cost.
    message: u64,
    /// Since when it has been behind, and when it last waited.
    behind: Option<(Duration, Duration)>,
}

impl Bill {
    pub(super) fn new(purse: Arc<dyn Purse>, operation_cost: u64) -> Self {
        Self {
            purse,
            owed: 0,
            prepaid: 0,
            message: operation_cost.max(1),
            behind: None,
        }
    }

    /// Something was executed.
    pub(super) fn add(&mut self, cost: u64) {
        let from_prepaid = self.prepaid.min(cost);
        self.prepaid -= from_prepaid;
        self.owed = self.owed.saturating_add(cost - from_prepaid);
    }

    /// A message is handed over.
    pub(super) fn add_delivery(&mut self, bytes: usize) {
        self.add(1 + (bytes / BYTES_A_UNIT) as u64);
    }

    /// Pays what is owed, waiting until that can be done. Returns whether it had to wait.
    pub(super) async fn settle(&mut self, clock: &Clock) -> Result<bool, LiveEnd> {
        self.pay(clock, 0).await
    }

    /// Pays what is owed and for a message in advance, before one is executed: one who can pay for none has none executed.
    pub(super) async fn prepay(&mut self, clock: &Clock) -> Result<(), LiveEnd> {
        self.pay(clock, self.message).await.map(|_| ())
    }

    async fn pay(&mut self, clock: &Clock, ahead: u64) -> Result<bool, LiveEnd> {
        let is_whole_message = self.owed >= self.message;
        if self.try_to_pay(ahead).is_none() {
            if is_whole_message {
                self.behind = None;
            }
            return Ok(false);
        }
        // Boxed: few have to wait, and the many that do not are small.
        Box::pin(self.wait_and_pay(clock, ahead)).await.map(|()| true)
    }

    /// Pays as far as the allowance goes. Returns how long to wait for the rest.
    fn try_to_pay(&mut self, ahead: u64) -> Option<Duration> {
        while self.owed > 0 || self.prepaid < ahead {
            let part = if self.owed > 0 {
                self.owed.min(self.message)
            } else {
                ahead - self.prepaid
            };
            if let Err(wait) = self.purse.charge(part) {
                return Some(wait);
            }
            if self.owed > 0 {
                self.owed -= part;
            } else {
                self.prepaid += part;
            }
        }
        None
    }

    async fn wait_and_pay(&mut self, clock: &Clock, ahead: u64) -> Result<(), LiveEnd> {
        while let Some(wait) = self.try_to_pay(ahead) {
            let now = clock.elapsed();
            let since = match self.behind {
                Some((since, last)) if now <= last + RECOVERED => since,
                _ => now,
            };
            let ends = since + BEHIND_AT_MOST;
            if now >= ends {
                return Err(LiveEnd::Failed(Box::new(rate_limited(wait.as_secs() + 1))));
            }
            clock.alarm((now + wait).min(ends)).await;
            self.behind = Some((since, clock.elapsed()));
        }
        Ok(())
    }
}
