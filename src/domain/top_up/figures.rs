//! What operators watch: purchases that are under way, in a few numbers. What work is owed for them is in `backlog`.

use crate::domain::database::Waiting;
use crate::domain::fault::Fault;

use super::model::TopUpStatus;
use super::{TopUps, store};

/// Purchases that are under way. Each is counted up to a bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopUpFigures {
    /// Top-ups of which something may still come by itself, by status.
    pub open: Vec<(TopUpStatus, i64)>,
    /// Attempts of which nobody knows whether they were charged.
    pub unknown: Waiting,
}

impl TopUps {
    /// Reads the figures of the whole installation: one statement each, by an index that holds only what is open.
    pub async fn figures(&self) -> Result<TopUpFigures, Fault> {
        store::figures(&self.desk.database).await
    }
}
