//! Which top-ups are meant.

use serde::Serialize;

use crate::domain::filter::{AnyOf, InstantRange};

use super::model::{TopUpOrigin, TopUpStatus};

/// Which top-ups are meant: those that meet every condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TopUpFilter {
    /// In one of these statuses.
    pub statuses: AnyOf<TopUpStatus>,
    /// Of one of these origins.
    pub origins: AnyOf<TopUpOrigin>,
    /// Asked for at these times.
    pub created_at: InstantRange,
}
