//! Receives messages of the payment gateway and of the mail system. A message must be signed. The response is sent after
//! the message is stored.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};

use super::SharedHttpState;
use super::body::{self, Unread};
use crate::domain::notification::{InvalidReport, ReceiveReportError, ReportResult};
use crate::domain::top_up::ReceiveError;

/// The maximum size of a message of the gateway or of a report about mail, in bytes.
const LARGEST_BODY: usize = 512 * 1_024;
const LARGEST_REPORT: usize = 64 * 1_024;
/// The header that contains the signatures.
const STRIPE_SIGNATURE: &str = "stripe-signature";
const SIGNATURE: &str = "ledgerbell-signature";

/// A status, and a line for the sender's log. A 2xx status means that the message is stored: any other status
/// makes the sender repeat it.
type Reply = (StatusCode, String);

/// Receives a message of the payment gateway.
pub(super) async fn stripe(
    State(state): State<SharedHttpState>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    let body = match read(&state, body, LARGEST_BODY).await {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let signature = signature(&headers, STRIPE_SIGNATURE);
    match state.services.webhooks.receive(body, signature).await {
        Ok(()) => reply(StatusCode::OK, "kept"),
        Err(ReceiveError::Invalid(reason)) => {
            tracing::warn!(%reason, "a webhook was refused");
            forged(&state, remote, "the signature is invalid")
        }
        Err(ReceiveError::Fault(fault)) => {
            tracing::warn!(%fault, "a webhook was not stored; the gateway sends it again");
            reply(StatusCode::SERVICE_UNAVAILABLE, "try again later")
        }
    }
}

/// Receives a report about a mail.
pub(super) async fn mail(
    State(state): State<SharedHttpState>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    let body = match read(&state, body, LARGEST_REPORT).await {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    match state
        .services
        .mail_reports
        .receive(&body, signature(&headers, SIGNATURE))
        .await
    {
        Ok(ReportResult::Applied | ReportResult::Repeated) => reply(StatusCode::OK, "kept"),
        Ok(ReportResult::NotOurs) => {
            tracing::info!("a report was ignored: it is not about a mail of this server, or names another address");
            reply(StatusCode::OK, "not about a mail of this server")
        }
        Err(ReceiveReportError::NotSetUp) => reply(StatusCode::NOT_FOUND, "set mail.webhook_secret to accept reports"),
        Err(ReceiveReportError::Invalid(InvalidReport::Signature)) => {
            tracing::warn!("a report of a mail was refused");
            forged(
                &state,
                remote,
                "the signature is invalid, or is more than five minutes old",
            )
        }
        // The sender holds the signing key, so it may learn what is wrong.
        Err(ReceiveReportError::Invalid(InvalidReport::Body(reason))) => {
            tracing::warn!(%reason, "a report of a mail is not valid");
            (StatusCode::BAD_REQUEST, format!("{reason}\n"))
        }
        Err(ReceiveReportError::Fault(fault)) => {
            tracing::warn!(%fault, "a report of a mail was not stored; it must be sent again");
            reply(StatusCode::SERVICE_UNAVAILABLE, "try again later")
        }
    }
}

/// Responds to a message whose signature is not valid. The sender's address pays for it.
fn forged(state: &SharedHttpState, remote: SocketAddr, line: &str) -> Reply {
    match state.charge_guess(remote.ip(), 0) {
        Ok(()) => reply(StatusCode::BAD_REQUEST, line),
        Err(_) => reply(
            StatusCode::TOO_MANY_REQUESTS,
            "too many messages from this address had an invalid signature",
        ),
    }
}

async fn read(state: &SharedHttpState, body: Body, largest: usize) -> Result<Vec<u8>, Reply> {
    let read = body::read(body, largest, state.settings.http.body_timeout).await;
    read.map_err(|unread| match unread {
        Unread::TooLarge => reply(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long"),
        Unread::TooSlow => reply(StatusCode::REQUEST_TIMEOUT, "the body was not received in time"),
        Unread::Broken => reply(StatusCode::BAD_REQUEST, "the body is incomplete"),
    })
}

fn signature<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let value = headers.get(name);
    value.and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn reply(status: StatusCode, line: &str) -> Reply {
    (status, format!("{line}\n"))
}
