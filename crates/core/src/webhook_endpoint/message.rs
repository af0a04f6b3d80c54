//! Messages to endpoints, and the attempts to send them.

use crate::primitives::ids::{AccountId, WebhookEndpointId, WebhookMessageId};
#[cfg(feature = "sea-orm")]
use crate::primitives::record::{FromRow, Record};
use crate::primitives::timestamp::Timestamp;

crate::text_enum! {
    /// What became of a message.
    WebhookMessageStatus {
        /// It waits for its next attempt.
        Pending = "PENDING",
        /// It is being sent.
        Sending = "SENDING",
        /// The endpoint accepted it.
        Delivered = "DELIVERED",
        /// It was given up: after the last attempt, or because the endpoint is gone.
        Failed = "FAILED",
        /// It was not sent, because the endpoint was disabled or deleted before.
        Discarded = "DISCARDED",
    }
}

crate::text_enum! {
    /// Why an attempt failed. The server's log has the details.
    WebhookFailure {
        /// The name of the host has no address.
        NameNotResolved = "NAME_NOT_RESOLVED",
        /// The host is internal: messages are not sent to such addresses.
        AddressNotAllowed = "ADDRESS_NOT_ALLOWED",
        /// No connection, or no valid certificate.
        NotConnected = "NOT_CONNECTED",
        /// No response in time.
        TimedOut = "TIMED_OUT",
        /// The connection ended before the response.
        Interrupted = "INTERRUPTED",
        /// The response was a redirect, which is never followed.
        Redirected = "REDIRECTED",
        /// The response was 410 Gone.
        Gone = "GONE",
        /// The response had another status than 2xx.
        StatusNotSuccessful = "STATUS_NOT_SUCCESSFUL",
    }
}

impl WebhookFailure {
    /// Returns the failure that a response's status means; `None` for success.
    pub const fn of_status(status: u16) -> Option<Self> {
        match status {
            200..=299 => None,
            300..=399 => Some(Self::Redirected),
            410 => Some(Self::Gone),
            _ => Some(Self::StatusNotSuccessful),
        }
    }
}

/// A message to an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "sea-orm", derive(Record, FromRow))]
pub struct WebhookMessage {
    /// The account that it is about, or [`AccountId::PLATFORM`] for a test of an endpoint of the platform.
    pub account_id: AccountId,
    /// The id within that account. Each attempt has it as `webhook-id`.
    pub id: WebhookMessageId,
    /// The account of the endpoint, or [`AccountId::PLATFORM`].
    pub endpoint_account_id: AccountId,
    /// The endpoint.
    pub endpoint_id: WebhookEndpointId,
    /// The type in the message.
    pub event_type: String,
    /// The body of the request.
    pub payload: String,
    /// What became of it.
    pub status: WebhookMessageStatus,
    /// The number of attempts that were begun.
    pub attempts: i32,
    /// The number of those that failed since it was created or last sent again on request.
    pub failures: i32,
    /// The time of the next attempt. During an attempt, the end of the worker's claim.
    pub next_attempt_at: Option<Timestamp>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When the endpoint accepted it.
    pub delivered_at: Option<Timestamp>,
}

/// One attempt to send a message, after its end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "sea-orm", derive(Record, FromRow))]
pub struct WebhookAttempt {
    /// The message.
    pub message_id: WebhookMessageId,
    /// The number among the message's attempts, from 1. An attempt that a crash interrupted is left out.
    pub number: i32,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration_millis: i64,
    /// The status of the response, if there was one.
    pub status_code: Option<i32>,
    /// Why it failed. `None` for a success.
    pub failure: Option<WebhookFailure>,
}
