//! Charges top-ups, evaluates auto top-up rules, processes webhooks, and compares with the payment gateway once a day.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::Services;
use crate::domain::fault::Fault;
use crate::domain::wake::Wake;
use crate::primitives::clock::Timestamp;

use super::pauses::Pauses;

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
        repeat((stop, &services.wake), "charging", async || {
            let refunds = services.refunding.turn(AT_ONCE).await?;
            Ok(refunds.max(services.charging.turn(AT_ONCE).await?))
        })
        .await;
    }

    /// Evaluates rules until `stop` is canceled.
    pub async fn evaluate(self, stop: CancellationToken) {
        let services = &self.services;
        repeat((stop, &services.wake), "auto top-up", async || {
            let tried = services.auto_top_ups.try_again(AT_ONCE).await?;
            Ok(tried.max(services.auto_top_ups.sweep(AT_ONCE).await?))
        })
        .await;
    }

    /// Processes webhooks until `stop` is canceled.
    pub async fn listen(self, stop: CancellationToken) {
        let services = &self.services;
        repeat((stop, &services.wake), "webhooks", async || {
            services.webhooks.turn(AT_ONCE).await
        })
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

fn days_before(now: Timestamp) -> Timestamp {
    now.plus_millis(-RECONCILE_DAYS * 24 * 60 * 60 * 1_000)
}

/// Runs rounds until `stop` is canceled. A started round is finished; a full round is followed by the next at once.
async fn repeat<F>((stop, wake): (CancellationToken, &Wake), name: &'static str, turn: impl Fn() -> F)
where
    F: Future<Output = Result<usize, Fault>>,
{
    let mut pauses = Pauses::new(INTERVAL, wake, &stop);
    while !stop.is_cancelled() {
        let done = super::turn(turn()).await;
        match &done {
            Ok(found) if *found >= AT_ONCE as usize => continue,
            Ok(_) => {}
            Err(fault) => tracing::warn!(worker = name, %fault, "a turn failed"),
        }
        pauses.after(&done).await;
    }
}
