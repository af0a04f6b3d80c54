//! Unsubscribing by the link of a mail, without signing in (RFC 8058): mail programs post to it, people see a page with a button.
//!
//! A GET changes nothing, because programs that look for malware follow links. Only a POST with the body that the RFC asks for does.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;

use super::SharedDoor;
use super::allowance::Payer;
use super::body::{self, Unread};
use crate::domain::fault::Fault;
use crate::domain::notification::Offer;

/// The longest body that is read: the pair that is asked for, in either form.
const LARGEST_BODY: usize = 4 * 1_024;
/// What following a link costs the address from which it is followed.
const VISIT: u64 = 20;

#[derive(Deserialize)]
pub(super) struct Parameters {
    token: String,
}

/// The page that says what the link would do.
pub(super) async fn show(
    State(door): State<SharedDoor>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    Query(parameters): Query<Parameters>,
) -> Response {
    if let Some(refused) = refused(&door, remote) {
        return refused;
    }
    let offer = door.services.unsubscribing.offer(&parameters.token).await;
    answer(&door, remote, offer)
}

/// Does what the link is for.
pub(super) async fn carry_out(
    State(door): State<SharedDoor>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if let Some(refused) = refused(&door, remote) {
        return refused;
    }
    let body = match body::read(body, LARGEST_BODY, door.settings.body_timeout).await {
        Ok(body) => body,
        Err(Unread::TooLarge) => return plain(StatusCode::PAYLOAD_TOO_LARGE, "The body is too long.\n"),
        Err(Unread::TooSlow) => return plain(StatusCode::REQUEST_TIMEOUT, "The body took too long to come.\n"),
        Err(Unread::Broken) => return plain(StatusCode::BAD_REQUEST, "The body broke off.\n"),
    };
    if !is_one_click(&headers, &body) {
        let text = "The body must be List-Unsubscribe=One-Click, as a form (RFC 8058).\n";
        return plain(StatusCode::BAD_REQUEST, text);
    }
    let offer = door.services.unsubscribing.carry_out(&parameters.token).await;
    answer(&door, remote, offer)
}

/// Whether a body has the one field that RFC 8058 asks for, in one of the two forms that it allows.
fn is_one_click(headers: &HeaderMap, body: &[u8]) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (media_type, _) = content_type.split_once(';').unwrap_or((content_type, ""));
    let Ok(body) = std::str::from_utf8(body) else {
        return false;
    };
    match media_type.trim().to_ascii_lowercase().as_str() {
        // None of these letters is ever encoded.
        "application/x-www-form-urlencoded" => {
            let mut pairs = body.trim().split('&');
            pairs.any(|pair| pair == "List-Unsubscribe=One-Click")
        }
        "multipart/form-data" => {
            let named = body.split_once("name=\"List-Unsubscribe\"");
            named.is_some_and(|(_, rest)| rest.trim_start().starts_with("One-Click"))
        }
        _ => false,
    }
}

/// The answer to an address that has followed too many links, if it has.
fn refused(door: &SharedDoor, remote: SocketAddr) -> Option<Response> {
    let wait = door.allowances.charge(&Payer::address(remote.ip()), VISIT).err()?;
    let retry_after = [(header::RETRY_AFTER, (wait.as_secs() + 1).to_string())];
    let text = "Too many links were followed from this address. Try again later.\n";
    Some((StatusCode::TOO_MANY_REQUESTS, retry_after, text).into_response())
}

fn answer(door: &SharedDoor, remote: SocketAddr, offer: Result<Option<Offer>, Fault>) -> Response {
    let page = match offer {
        Ok(Some(offer)) => door.services.wording.unsubscribe_page(&offer),
        Ok(None) => {
            if door.charge_guess(remote.ip(), 0).is_err() {
                let text = "Too many links of this address were refused.\n";
                return plain(StatusCode::TOO_MANY_REQUESTS, text);
            }
            let text =
                "This link is not valid. Follow the link of the mail itself, or change your notification settings.\n";
            return plain(StatusCode::FORBIDDEN, text);
        }
        Err(fault) => Err(fault),
    };
    match page {
        Ok(page) => {
            let mut response = Html(page).into_response();
            let headers = response.headers_mut();
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            let robots = HeaderName::from_static("x-robots-tag");
            headers.insert(robots, HeaderValue::from_static("noindex, nofollow"));
            response
        }
        Err(fault) => {
            tracing::warn!(%fault, "a link to unsubscribe could not be followed");
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

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(content_type: &str, body: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, content_type.parse().expect("a value"));
        is_one_click(&headers, body.as_bytes())
    }

    #[test]
    fn both_forms_of_the_rfc_are_taken_and_nothing_else() {
        let form = "application/x-www-form-urlencoded";
        assert!(accepts(form, "List-Unsubscribe=One-Click"));
        assert!(accepts(
            "Application/X-WWW-Form-Urlencoded; charset=utf-8",
            "List-Unsubscribe=One-Click\r\n"
        ));
        let part = "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n";
        assert!(accepts("multipart/form-data; boundary=b", part));
        for (content_type, body) in [
            (form, ""),
            (form, "List-Unsubscribe=Two-Clicks"),
            (form, "List-Unsubscribe"),
            ("text/plain", "List-Unsubscribe=One-Click"),
            ("multipart/form-data; boundary=b", "List-Unsubscribe=One-Click"),
        ] {
            assert!(!accepts(content_type, body), "{content_type} {body:?}");
        }
    }
}
