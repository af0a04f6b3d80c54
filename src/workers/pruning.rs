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

/// Deletes events, webhooks and results of idempotency keys that are old enough.
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
        let mut place = None;
        loop {
            match super::turn(self.retention.turn(place)).await {
                Ok(turn) => {
                    all += turn.pruned;
                    place = turn.next;
                }
                Err(fault) => {
                    tracing::warn!(%fault, "old rows were not deleted; they are deleted later");
                    break;
                }
            }
            if place.is_none() || stop.run_until_cancelled(tokio::time::sleep(BREATH)).await.is_none() {
                break;
            }
        }
        if all != Pruned::default() {
            tracing::info!(
                events = all.events,
                webhooks = all.webhooks,
                idempotency_keys = all.idempotency_keys,
                "old rows were deleted"
            );
        }
    }
}
