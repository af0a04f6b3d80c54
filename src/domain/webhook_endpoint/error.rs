//! Refusals of the use cases about endpoints and messages, one enum each.

use super::model::{MOST_ENDPOINTS, WebhookEndpoint};

/// Why an endpoint is not created.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateEndpointRefusal {
    /// There are as many as there may be.
    #[error("there are {MOST_ENDPOINTS} webhook endpoints already: delete one first")]
    Limit,
}

/// Why a filter and types of events are refused together. [`super::model::may_filter`] has the rule.
pub(super) const FILTER_FITS_ENTRIES_ALONE: &str =
    "an endpoint with entryFilter gets CREDIT_ENTRY_POSTED alone: use another endpoint for other types";

/// Why an endpoint is not updated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateEndpointRefusal {
    /// It does not exist.
    #[error("this webhook endpoint does not exist")]
    NotFound,
    /// It was changed since the expected version. Carries the current state.
    #[error("the webhook endpoint was changed in the meantime: its version is {}", .0.version)]
    VersionConflict(Box<WebhookEndpoint>),
    /// It would have a filter, and get other types than entries. Carries the field that would make it so.
    #[error("{FILTER_FITS_ENTRIES_ALONE}")]
    FilterOfOtherTypes(&'static str),
}

/// Why an endpoint is not deleted, or gets no new secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeEndpointRefusal {
    /// It does not exist.
    #[error("this webhook endpoint does not exist")]
    NotFound,
}

/// Why no test is sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TestEndpointRefusal {
    /// It does not exist.
    #[error("this webhook endpoint does not exist")]
    NotFound,
    /// It is disabled.
    #[error("this webhook endpoint is disabled: enable it first")]
    Disabled,
    /// The limit for tests is reached.
    #[error("too many tests were sent: retry in {retry_after_seconds} s")]
    TooMany {
        /// Seconds until another test is possible.
        retry_after_seconds: u32,
    },
}

/// Why a message is not sent again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RetryMessageRefusal {
    /// It does not exist, or is no longer kept.
    #[error("this webhook message does not exist")]
    NotFound,
    /// Its endpoint is disabled or deleted.
    #[error("the endpoint of this webhook message is disabled: enable it first")]
    Disabled,
}

/// Why events are not sent again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayRefusal {
    /// The endpoint does not exist.
    #[error("this webhook endpoint does not exist")]
    NotFound,
    /// The account of the events is missing, or another one than the endpoint's.
    #[error("{0}")]
    Account(&'static str),
    /// The endpoint is disabled.
    #[error("this webhook endpoint is disabled: enable it first")]
    Disabled,
    /// The cursor does not belong to the account's events, or they are no longer kept.
    #[error("the events after this cursor are not available: read the account again, and continue from its liveCursor")]
    Cursor,
}
