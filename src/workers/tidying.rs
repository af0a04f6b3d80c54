//! Deletes rows that have expired: counts, and messages to webhook endpoints.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::Services;
use crate::domain::fault::Fault;
use crate::primitives::clock::DAY;

/// The pause between rounds. It is long because no caller waits for this work.
const INTERVAL: Duration = Duration::from_mins(10);
/// The number of rows that one transaction deletes. It is small, so that the transaction blocks no other.
const ROWS: u32 = 500;

/// How long messages to webhook endpoints are kept, in milliseconds.
const MESSAGES_KEPT: i64 = 30 * DAY;

/// Deletes counts whose period has ended, and old messages to webhook endpoints.
#[derive(Clone)]
pub struct Tidying {
    services: Services,
}

impl Tidying {
    /// Creates the worker.
    pub fn new(services: Services) -> Self {
        Self { services }
    }

    /// Runs rounds until `stop` is canceled.
    pub async fn run(self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
            loop {
                match super::turn(self.delete()).await {
                    Ok(true) if !stop.is_cancelled() => {}
                    Ok(_) => break,
                    Err(fault) => {
                        tracing::warn!(%fault, "rows that have expired were not deleted; they are deleted later");
                        break;
                    }
                }
            }
        }
    }

    /// Deletes some rows of each kind. Returns whether there may be more.
    pub async fn delete(&self) -> Result<bool, Fault> {
        let counts = self.services.quotas.delete_ended(ROWS).await?;
        let before = self.services.clock.now().plus_millis(-MESSAGES_KEPT);
        let messages = self.services.webhook_messages.delete_ended(before, ROWS).await?;
        Ok(counts == u64::from(ROWS) || messages == ROWS as usize)
    }
}
