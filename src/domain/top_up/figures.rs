//! What operators watch: purchases that are under way or wait for something, in a few numbers.

use crate::domain::database::Waiting;
use crate::domain::fault::Fault;

use super::model::TopUpStatus;
use super::{TopUps, store};

/// Purchases that are under way or wait for something. Each is counted up to a bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopUpFigures {
    /// Top-ups of which something may still come by itself, by status.
    pub open: Vec<(TopUpStatus, i64)>,
    /// Attempts of which nobody knows whether they were charged.
    pub unknown: Waiting,
    /// Failed automatic top-ups that are tried again.
    pub tried_again: i64,
    /// Refunds that the gateway has not taken yet.
    pub refunds: Waiting,
    /// Webhooks that are not dealt with yet.
    pub webhooks: Waiting,
    /// Webhooks that were given up until somebody replays them.
    pub parked: Waiting,
}

impl TopUps {
    /// Reads the figures of the whole installation: one statement each, by an index that holds only what is open.
    pub async fn figures(&self) -> Result<TopUpFigures, Fault> {
        store::figures(&self.desk.database).await
    }
}
