//! Charges the cost of subscriptions, and ends a subscription that cannot pay.
//!
//! A message is executed once for its audience. The subscription that causes the execution pays for it; the others pay for the
//! delivery. The cost is paid before a message is delivered. So messages are late for a caller whose allowance is used up.
//! Events meanwhile wait in the stream: none is lost. A subscription that is behind for a minute ends, and its last cursor
//! stays valid.

use std::sync::Arc;
use std::time::Duration;

use super::LiveEnd;
use crate::graphql::errors::rate_limited;
use crate::primitives::clock::Clock;

/// How long a subscription may have unpaid cost.
const BEHIND_AT_MOST: Duration = Duration::from_mins(1);
/// A subscription is no longer behind if it did not have to wait for this long, or paid for a whole message without waiting.
const RECOVERED: Duration = Duration::from_secs(10);
/// The number of bytes whose delivery costs one unit.
const BYTES_A_UNIT: usize = 4_096;

/// Pays for the executions of a subscription.
pub trait Purse: Send + Sync {
    /// Deducts a cost from the caller's allowance, or returns how long to wait until that is possible.
    fn charge(&self, cost: u64) -> Result<(), Duration>;
}

/// Pays without a limit.
pub(super) struct Unlimited;

impl Purse for Unlimited {
    fn charge(&self, _: u64) -> Result<(), Duration> {
        Ok(())
    }
}

/// The unpaid cost of one subscription, or its prepayment.
pub(super) struct Bill {
    purse: Arc<dyn Purse>,
    owed: u64,
    prepaid: u64,
    /// The cost of one message. No more is paid at once: an allowance is at least the maximum cost of one operation.
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

    /// Adds the cost of an execution.
    pub(super) fn add(&mut self, cost: u64) {
        let from_prepaid = self.prepaid.min(cost);
        self.prepaid -= from_prepaid;
        self.owed = self.owed.saturating_add(cost - from_prepaid);
    }

    /// Adds the cost of a delivery.
    pub(super) fn add_delivery(&mut self, bytes: usize) {
        self.add(1 + (bytes / BYTES_A_UNIT) as u64);
    }

    /// Pays the unpaid cost, and waits until that is possible. Returns whether it had to wait.
    pub(super) async fn settle(&mut self, clock: &Clock) -> Result<bool, LiveEnd> {
        self.pay(clock, 0).await
    }

    /// Pays the unpaid cost and one message in advance before an execution. So a caller that cannot pay causes no execution.
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
        // Boxed: few subscriptions have to wait, so the future of all others stays small.
        Box::pin(self.wait_and_pay(clock, ahead)).await.map(|()| true)
    }

    /// Pays as much as the allowance permits. Returns how long to wait for the rest.
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
