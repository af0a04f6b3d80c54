//! Reevaluates accounts at a scheduled time: for postponed alerts, and for credits and cards that will expire.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::notification::Alerts;

/// The maximum number of accounts per round.
const ACCOUNTS: u32 = 500;
/// The pause between rounds that leave no work.
const INTERVAL: Duration = Duration::from_secs(1);

/// Reevaluates accounts whose scheduled time has come.
#[derive(Clone)]
pub struct AlertReminders {
    alerts: Alerts,
}

impl AlertReminders {
    /// Creates the worker.
    pub fn new(alerts: Alerts) -> Self {
        Self { alerts }
    }

    /// Runs rounds until `stop` is canceled. A started round is finished. Each round is followed by a pause: an account that
    /// could not be evaluated would otherwise be selected again at once.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(fault) = super::turn(self.alerts.evaluate_due(ACCOUNTS)).await {
                tracing::warn!(%fault, "accounts were not looked at again; they soon are");
            }
            stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await;
        }
    }
}
