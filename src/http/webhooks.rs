//! What the payment gateway tells of its own accord: kept as it came, answered once it is kept.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};

use super::SharedDoor;
use super::body::{self, Unread};
use crate::domain::top_up::ReceiveError;

/// The longest message that is taken in, in bytes.
const LARGEST_BODY: usize = 512 * 1_024;
/// Where the signature is.
const SIGNATURE: &str = "stripe-signature";

/// 2xx only when it is kept: anything else is sent again.
pub(super) async fn stripe(
    State(door): State<SharedDoor>,
    headers: HeaderMap,
    body: Body,
) -> (StatusCode, &'static str) {
    let body = match body::read(body, LARGEST_BODY, door.settings.body_timeout).await {
        Ok(body) => body,
        Err(Unread::TooLarge) => return (StatusCode::PAYLOAD_TOO_LARGE, "the body is too long\n"),
        Err(Unread::TooSlow) => return (StatusCode::REQUEST_TIMEOUT, "the body took too long to come\n"),
        Err(Unread::Broken) => return (StatusCode::BAD_REQUEST, "the body broke off\n"),
    };
    let signature = headers
        .get(SIGNATURE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    match door.services.webhooks.receive(body, signature).await {
        Ok(()) => (StatusCode::OK, "kept\n"),
        Err(ReceiveError::Invalid(reason)) => {
            tracing::warn!(%reason, "a webhook was not believed");
            (StatusCode::BAD_REQUEST, "not signed as it should be\n")
        }
        Err(ReceiveError::Fault(fault)) => {
            tracing::warn!(%fault, "a webhook was not kept; it will be sent again");
            (StatusCode::SERVICE_UNAVAILABLE, "try again later\n")
        }
    }
}
