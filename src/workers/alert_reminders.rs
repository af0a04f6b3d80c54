//! Reevaluates accounts at a scheduled time: for postponed alerts, and for credits and cards that will expire.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::notification::Alerts;
use crate::domain::wake::Wake;

use super::pauses::Rounds;

/// The maximum number of accounts per round.
const ACCOUNTS: u32 = 500;
/// The shortest pause between rounds that leave no work.
const INTERVAL: Duration = Duration::from_secs(1);

/// Reevaluates accounts whose scheduled time has come.
#[derive(Clone)]
pub struct AlertReminders {
    alerts: Alerts,
    wake: Wake,
}

impl AlertReminders {
    /// Creates the worker.
    pub fn new(alerts: Alerts, wake: Wake) -> Self {
        Self { alerts, wake }
    }

    /// Runs rounds until `stop` is canceled. A started round is finished. Each round is followed by a pause: an account that
    /// could not be evaluated would otherwise be selected again at once.
    pub async fn run(self, stop: CancellationToken) {
        let rounds = Rounds {
            full: None,
            interval: INTERVAL,
            failure: "accounts were not evaluated; they are evaluated again soon",
        };
        rounds
            .run(&self.wake, &stop, || self.alerts.evaluate_due(ACCOUNTS))
            .await;
    }
}
