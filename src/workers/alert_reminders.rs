//! Looks again at accounts whose time has come: alerts that were held back, credits and cards that are about to expire.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::notification::Alerts;

/// Accounts in one turn.
const ACCOUNTS: u32 = 500;
/// Between turns that leave nothing to do.
const INTERVAL: Duration = Duration::from_secs(1);

/// Looks at accounts that wait for a time.
#[derive(Clone)]
pub struct AlertReminders {
    alerts: Alerts,
}

impl AlertReminders {
    /// Of these alerts.
    pub fn new(alerts: Alerts) -> Self {
        Self { alerts }
    }

    /// Turn after turn until told to stop. A turn that is under way is finished; each is followed by a pause, since what could not be
    /// looked at would be found at once again.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(fault) = super::turn(self.alerts.look_at_due(ACCOUNTS)).await {
                tracing::warn!(%fault, "accounts were not looked at again; they soon are");
            }
            stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await;
        }
    }
}
