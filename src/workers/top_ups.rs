//! Charges top-ups, evaluates auto top-up rules, processes webhooks, and compares with the payment gateway once a day.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::Services;
use crate::primitives::clock::Timestamp;

use super::pauses::Rounds;

/// The maximum number of items per round.
const AT_ONCE: u32 = 100;
/// The shortest pause between rounds that leave no work: a top-up waits for at most this long before its charge begins.
const INTERVAL: Duration = Duration::from_millis(250);
/// When a process first compares with the payment gateway. A process that is restarted every day would otherwise never compare.
const RECONCILE_FIRST: Duration = Duration::from_mins(10);
/// The period of the comparison with the payment gateway.
const RECONCILE_EVERY: Duration = Duration::from_hours(24);
/// The number of past days that a comparison covers.
const RECONCILE_DAYS: i64 = 3;

/// Processes the pending work in the rows of top-ups.
#[derive(Clone)]
pub struct TopUpWork {
    services: Services,
}

impl TopUpWork {
    /// Creates the worker.
    pub fn new(services: Services) -> Self {
        Self { services }
    }

    /// Charges and refunds until `stop` is canceled.
    pub async fn charge(self, stop: CancellationToken) {
        let services = &self.services;
        rounds("a turn of charging failed")
            .run(&services.wake, &stop, async || {
                let refunds = services.refunding.turn(AT_ONCE).await?;
                Ok(refunds.max(services.charging.turn(AT_ONCE).await?))
            })
            .await;
    }

    /// Evaluates rules until `stop` is canceled.
    pub async fn evaluate(self, stop: CancellationToken) {
        let services = &self.services;
        rounds("a turn of auto top-up failed")
            .run(&services.wake, &stop, async || {
                let tried = services.auto_top_ups.try_again(AT_ONCE).await?;
                Ok(tried.max(services.auto_top_ups.sweep(AT_ONCE).await?))
            })
            .await;
    }

    /// Processes webhooks until `stop` is canceled.
    pub async fn listen(self, stop: CancellationToken) {
        let services = &self.services;
        rounds("a turn of webhooks failed")
            .run(&services.wake, &stop, async || services.webhooks.turn(AT_ONCE).await)
            .await;
    }

    /// Compares ten minutes after the start and then once a day, until `stop` is canceled.
    pub async fn reconcile(self, stop: CancellationToken) {
        let mut pause = RECONCILE_FIRST;
        while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            pause = RECONCILE_EVERY;
            let since = days_before(self.services.clock.now());
            match self.services.reconciler.reconcile(since).await {
                Ok(report) => tracing::info!(compared = report.compared, "compared with the payment gateway"),
                Err(error) => tracing::warn!(%error, "could not compare with the payment gateway"),
            }
        }
    }
}

fn rounds(failure: &'static str) -> Rounds {
    Rounds {
        full: Some(AT_ONCE),
        interval: INTERVAL,
        failure,
    }
}

fn days_before(now: Timestamp) -> Timestamp {
    now.plus_millis(-RECONCILE_DAYS * 24 * 60 * 60 * 1_000)
}
