//! The filter of the list of top-ups.

use serde::Serialize;

use crate::domain::filter::{AnyOf, InstantRange};

use super::model::{TopUpOrigin, TopUpStatus};

/// Selects the top-ups that meet every condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TopUpFilter {
    /// In one of these statuses.
    pub statuses: AnyOf<TopUpStatus>,
    /// Of one of these origins.
    pub origins: AnyOf<TopUpOrigin>,
    /// Requested between these instants.
    pub created_at: InstantRange,
}
