//! Deletes what is of no use any more.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::quota::Quotas;

/// Nobody waits for it.
const INTERVAL: Duration = Duration::from_mins(10);
/// Rows that one transaction deletes, so that it holds up no other.
const ROWS: u32 = 500;

/// Deletes counts that have ended.
#[derive(Clone)]
pub struct Tidying {
    quotas: Quotas,
}

impl Tidying {
    /// For these counts.
    pub fn new(quotas: Quotas) -> Self {
        Self { quotas }
    }

    /// Again and again until told to stop.
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
