//! Asks what those who follow streams were not told: by a bell that was lost, or because of a key nobody tells.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::Services;
use crate::domain::fault::Fault;

/// What is not told is found out within a second.
const INTERVAL: Duration = Duration::from_millis(500);

/// Looks at the heads of streams that somebody listens to, and at the keys of who listens.
#[derive(Clone)]
pub struct LivePoll {
    services: Services,
}

impl LivePoll {
    /// For those who listen in this process.
    pub fn new(services: Services) -> Self {
        Self { services }
    }

    /// One turn: a few statements, whatever the number of listeners.
    pub async fn turn(&self) -> Result<(), Fault> {
        self.services.events.hub().poll().await?;
        self.services.standing.poll().await
    }

    /// Turn after turn until told to stop; none while nobody listens.
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
