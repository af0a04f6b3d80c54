//! The common parts of links in mails that work without signing in.
//!
//! A GET changes nothing, because malware scanners follow links. Only a POST with the expected body does.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;

use super::allowance::Payer;
use super::body::{self, Unread};
use super::{HttpState, SharedHttpState};
use crate::domain::fault::Fault;

/// The maximum size of a body, in bytes: it holds the required pair in either form.
const LARGEST_BODY: usize = 4 * 1_024;
/// The cost of a visit, which the visiting address pays.
const VISIT: u64 = 20;

#[derive(Deserialize)]
pub(super) struct Parameters {
    token: String,
}

/// What the holder of a link requests.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// The page that explains what the link does. Nothing is changed.
    Show,
    /// That it is done.
    CarryOut,
}

/// What the links of one kind do.
pub(super) trait MailLink {
    /// The response to a POST with another body.
    const WRONG_BODY: &'static str;

    /// Returns whether a body requests what the link does.
    fn accepts(headers: &HeaderMap, body: &[u8]) -> bool;

    /// Returns the page. `None` means that the link is not valid.
    fn page(state: &HttpState, token: &str, step: Step) -> impl Future<Output = Result<Option<String>, Fault>> + Send;
}

/// Returns the page that explains what the link does.
pub(super) async fn show<L: MailLink>(
    State(state): State<SharedHttpState>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    Query(parameters): Query<Parameters>,
) -> Response {
    if let Some(refused) = refused(&state, remote) {
        return refused;
    }
    respond(&state, remote, L::page(&state, &parameters.token, Step::Show).await)
}

/// Does what the link does.
pub(super) async fn carry_out<L: MailLink>(
    State(state): State<SharedHttpState>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let body = match posted(&state, remote, body).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    if !L::accepts(&headers, &body) {
        return plain(StatusCode::BAD_REQUEST, L::WRONG_BODY);
    }
    respond(&state, remote, L::page(&state, &parameters.token, Step::CarryOut).await)
}

/// Returns the refusal if the address has followed too many links.
fn refused(state: &SharedHttpState, remote: SocketAddr) -> Option<Response> {
    let wait = state.allowances.charge(&Payer::address(remote.ip()), VISIT).err()?;
    let retry_after = [(header::RETRY_AFTER, (wait.as_secs() + 1).to_string())];
    let text = "Too many links were followed from this address. Try again later.\n";
    Some((StatusCode::TOO_MANY_REQUESTS, retry_after, text).into_response())
}

/// Returns the body of a POST to a link, or the response if the address is refused or the body cannot be read.
async fn posted(state: &SharedHttpState, remote: SocketAddr, body: Body) -> Result<Vec<u8>, Response> {
    if let Some(refused) = refused(state, remote) {
        return Err(refused);
    }
    let read = body::read(body, LARGEST_BODY, state.settings.http.body_timeout).await;
    read.map_err(|unread| match unread {
        Unread::TooLarge => plain(StatusCode::PAYLOAD_TOO_LARGE, "The body is too long.\n"),
        Unread::TooSlow => plain(StatusCode::REQUEST_TIMEOUT, "The body was not received in time.\n"),
        Unread::Broken => plain(StatusCode::BAD_REQUEST, "The body is incomplete.\n"),
    })
}

/// Returns whether a body is a form, as browsers send it, that contains this pair. No character of the pair
/// needs encoding.
pub(super) fn is_form_with(headers: &HeaderMap, body: &[u8], pair: &str) -> bool {
    let Ok(body) = std::str::from_utf8(body) else {
        return false;
    };
    media_type(headers) == "application/x-www-form-urlencoded" && body.trim().split('&').any(|found| found == pair)
}

/// Returns the media type of a body, without its parameters.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let content_type = headers.get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (media_type, _) = content_type.split_once(';').unwrap_or((content_type, ""));
    media_type.trim().to_ascii_lowercase()
}

/// Returns the response with the page of a link. `None` means that the link is not valid.
fn respond(state: &SharedHttpState, remote: SocketAddr, page: Result<Option<String>, Fault>) -> Response {
    match page {
        Ok(Some(page)) => {
            let mut response = Html(page).into_response();
            let headers = response.headers_mut();
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            let robots = HeaderName::from_static("x-robots-tag");
            headers.insert(robots, HeaderValue::from_static("noindex, nofollow"));
            response
        }
        Ok(None) => {
            if state.charge_guess(remote.ip(), 0).is_err() {
                let text = "Too many invalid links were requested from this address. Try again later.\n";
                return plain(StatusCode::TOO_MANY_REQUESTS, text);
            }
            let text =
                "This link is not valid. Follow the link of the mail itself, or change your notification settings.\n";
            plain(StatusCode::FORBIDDEN, text)
        }
        Err(fault) => {
            tracing::warn!(%fault, "a link of a mail could not be followed");
            plain(
                StatusCode::SERVICE_UNAVAILABLE,
                "The service is not available at the moment. Try again later.\n",
            )
        }
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    (status, text).into_response()
}
