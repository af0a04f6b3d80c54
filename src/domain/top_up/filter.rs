//! Which top-ups are meant.

use crate::domain::ledger::credit_log::{InstantRange, unique};

use super::model::{TopUpOrigin, TopUpStatus};

/// Which top-ups are meant: those that meet every condition given. An empty list matches nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopUpFilter {
    /// In one of these statuses.
    pub statuses: Option<Vec<TopUpStatus>>,
    /// Of one of these origins.
    pub origins: Option<Vec<TopUpOrigin>>,
    /// Asked for at these times.
    pub created_at: Option<InstantRange>,
}

impl TopUpFilter {
    /// The filter in one form: equal texts for filters that mean the same. Page cursors are bound to it.
    pub fn canonical(&self) -> String {
        let sorted = Self {
            statuses: self.statuses.clone().map(unique),
            origins: self.origins.clone().map(unique),
            created_at: self.created_at,
        };
        format!("{sorted:?}")
    }
}
