//! Charges top-ups, evaluates rules, deals with what the payment gateway tells, and compares with it once a day.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::Services;
use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;

/// Things dealt with in one turn.
const AT_ONCE: u32 = 100;
/// Between turns that leave nothing to do: how long a top-up waits at the most before its charge begins.
const INTERVAL: Duration = Duration::from_millis(250);
/// When a process first compares with the payment gateway: one that is started anew every day would never come to it otherwise.
const RECONCILE_FIRST: Duration = Duration::from_mins(10);
/// Between comparisons with the payment gateway.
const RECONCILE_EVERY: Duration = Duration::from_hours(24);
/// How far back they go.
const RECONCILE_DAYS: i64 = 3;

/// Works what the rows of top-ups say is due.
#[derive(Clone)]
pub struct TopUpWork {
    services: Services,
}

impl TopUpWork {
    /// For these services.
    pub fn new(services: Services) -> Self {
        Self { services }
    }

    /// Charges and gives back until told to stop.
    pub async fn charge(self, stop: CancellationToken) {
        let services = &self.services;
        repeat(stop, "charging", async || {
            let refunds = services.refunding.turn(AT_ONCE).await?;
            Ok(refunds.max(services.charging.turn(AT_ONCE).await?))
        })
        .await;
    }

    /// Evaluates rules until told to stop.
    pub async fn evaluate(self, stop: CancellationToken) {
        let services = &self.services;
        repeat(stop, "auto top-up", async || {
            let tried = services.auto_top_ups.try_again(AT_ONCE).await?;
            Ok(tried.max(services.auto_top_ups.sweep(AT_ONCE).await?))
        })
        .await;
    }

    /// Deals with webhooks until told to stop.
    pub async fn listen(self, stop: CancellationToken) {
        let services = &self.services;
        repeat(stop, "webhooks", async || services.webhooks.turn(AT_ONCE).await).await;
    }

    /// Compares soon, and then once a day, until told to stop.
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

/// Turn after turn until told to stop. A turn that is under way is finished; a full one is followed by the next at once.
async fn repeat<F>(stop: CancellationToken, name: &'static str, turn: impl Fn() -> F)
where
    F: Future<Output = Result<usize, Fault>>,
{
    while !stop.is_cancelled() {
        match super::turn(turn()).await {
            Ok(found) if found >= AT_ONCE as usize => continue,
            Ok(_) => {}
            Err(fault) => tracing::warn!(worker = name, %fault, "a turn failed"),
        }
        stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await;
    }
}
