//! The number of an account's findings at its last check, in the API.

use async_graphql::SimpleObject;

use crate::domain::troubleshooting;
use crate::graphql::notification::AlertSeverity;
use crate::primitives::clock::Timestamp;

/// The findings of an account at its last check, as numbers.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct LastFindings {
    /// The number of findings. `troubleshooting` finds them again, with their current state.
    count: i32,
    /// The highest severity. Null without findings.
    severity: Option<AlertSeverity>,
    /// When the account was checked.
    checked_at: Timestamp,
}

impl From<troubleshooting::LastFindings> for LastFindings {
    fn from(found: troubleshooting::LastFindings) -> Self {
        Self {
            count: found.count,
            severity: found.severity.map(Into::into),
            checked_at: found.checked_at,
        }
    }
}
