//! Finds changes that subscribers were not notified of: because a bell was lost, or because no bell exists for keys.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::Services;
use crate::domain::fault::Fault;

/// A missed notification is found within a second.
const INTERVAL: Duration = Duration::from_millis(500);

/// Checks the positions of streams that have subscribers, and the keys of the subscribers.
#[derive(Clone)]
pub struct LivePoll {
    services: Services,
}

impl LivePoll {
    /// Creates the worker for the subscribers of this process.
    pub fn new(services: Services) -> Self {
        Self { services }
    }

    /// Runs one round: a few statements, whatever the number of subscribers.
    pub async fn turn(&self) -> Result<(), Fault> {
        self.services.events.hub().poll().await?;
        self.services.current_rights.poll().await
    }

    /// Runs rounds until `stop` is canceled. There are no rounds without subscribers.
    pub async fn run(self, stop: CancellationToken) {
        while stop
            .run_until_cancelled(self.services.events.hub().listened_to())
            .await
            .is_some()
        {
            if let Err(fault) = super::turn(self.turn()).await {
                tracing::warn!(%fault, "streams were not looked at; they are looked at again soon");
            }
            stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await;
        }
    }
}
