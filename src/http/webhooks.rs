//! What the payment gateway tells of its own accord: kept as it came, answered once it is kept.

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};

use super::SharedDoor;
use crate::domain::top_up::ReceiveError;

/// The longest message that is taken in.
pub(super) const MAX_BODY_BYTES: usize = 512 * 1_024;
/// Where the signature is.
const SIGNATURE: &str = "stripe-signature";

/// 2xx only when it is kept: anything else is sent again.
pub(super) async fn stripe(
    State(door): State<SharedDoor>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> (StatusCode, &'static str) {
    let Ok(body) = body else {
        return (StatusCode::PAYLOAD_TOO_LARGE, "the body is too long, or broke off\n");
    };
    let signature = headers
        .get(SIGNATURE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    match door.services.webhooks.receive(body.to_vec(), signature).await {
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
