//! Metrics of purchases in progress. The metrics of pending work are in `backlog`.

use crate::domain::database::PendingItems;
use crate::domain::fault::Fault;

use super::model::TopUpStatus;
use super::{TopUps, store};

/// Purchases in progress. Each count has an upper bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopUpFigures {
    /// The number of top-ups that can still change automatically, by status.
    pub open: Vec<(TopUpStatus, i64)>,
    /// Attempts whose outcome is unknown: they may have been charged.
    pub unknown: PendingItems,
}

impl TopUps {
    /// Reads the metrics of the whole installation: one statement each, by an index that contains only open rows.
    pub async fn figures(&self) -> Result<TopUpFigures, Fault> {
        store::figures(&self.context.database).await
    }
}
