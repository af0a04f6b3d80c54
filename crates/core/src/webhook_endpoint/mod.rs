//! Outgoing webhooks: what an endpoint gets, how a message is signed, and when it is sent again.
//!
//! Messages follow the Standard Webhooks specification. The webhooks that the payment gateway sends to us are in `top_up`.

mod endpoint;
mod event_type;
mod message;
mod schedule;
mod signing;

pub use endpoint::{
    DISABLED_AFTER_MILLIS, DisabledReason, EndpointPatch, MOST_ENDPOINTS, NewEndpoint, WebhookEndpoint, may_filter,
};
pub use event_type::{TEST_TYPE, WebhookEventType, shown_status};
pub use message::{WebhookAttempt, WebhookFailure, WebhookMessage, WebhookMessageStatus};
pub use schedule::{LONGEST_RETRY_AFTER_MILLIS, next_attempt};
pub use signing::{SECRET_OVERLAP_MILLIS, SigningKeys};
