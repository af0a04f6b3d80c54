//! Deletes old rows, by the settings of retention.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::retention::{Pruned, Retention};

/// The pause between rounds.
const INTERVAL: Duration = Duration::from_hours(24);
/// The time before the first round: servers that restart often prune too.
const FIRST: Duration = Duration::from_mins(30);
/// The pause between turns, which leaves the database to others.
const BREATH: Duration = Duration::from_millis(50);

/// Deletes events and webhooks that are old enough.
#[derive(Clone)]
pub struct Pruning {
    retention: Retention,
}

impl Pruning {
    /// Creates the worker.
    pub fn new(retention: Retention) -> Self {
        Self { retention }
    }

    /// Runs rounds until `stop` is canceled.
    pub async fn run(self, stop: CancellationToken) {
        let mut pause = FIRST;
        while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            self.round(&stop).await;
            pause = INTERVAL;
        }
    }

    async fn round(&self, stop: &CancellationToken) {
        let mut all = Pruned::default();
        let mut after = None;
        loop {
            match super::turn(self.retention.turn(after)).await {
                Ok(turn) => {
                    all.events += turn.pruned.events;
                    all.webhooks += turn.pruned.webhooks;
                    after = turn.next;
                }
                Err(fault) => {
                    tracing::warn!(%fault, "old rows were not deleted; they are deleted later");
                    break;
                }
            }
            if after.is_none() || stop.run_until_cancelled(tokio::time::sleep(BREATH)).await.is_none() {
                break;
            }
        }
        if all != Pruned::default() {
            tracing::info!(events = all.events, webhooks = all.webhooks, "old rows were deleted");
        }
    }
}
