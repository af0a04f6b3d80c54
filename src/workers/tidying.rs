//! Deletes rows that have expired.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::quota::Quotas;

/// The pause between rounds. It is long because no caller waits for this work.
const INTERVAL: Duration = Duration::from_mins(10);
/// The number of rows that one transaction deletes. It is small, so that the transaction blocks no other.
const ROWS: u32 = 500;

/// Deletes counts whose period has ended.
#[derive(Clone)]
pub struct Tidying {
    quotas: Quotas,
}

impl Tidying {
    /// Creates the worker for these counts.
    pub fn new(quotas: Quotas) -> Self {
        Self { quotas }
    }

    /// Runs rounds until `stop` is canceled.
    pub async fn run(self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
            loop {
                match super::turn(self.quotas.delete_ended(ROWS)).await {
                    Ok(deleted) if deleted == u64::from(ROWS) && !stop.is_cancelled() => {}
                    Ok(_) => break,
                    Err(fault) => {
                        tracing::warn!(%fault, "counts that have ended were not deleted; they are deleted later");
                        break;
                    }
                }
            }
        }
    }
}
