//! Unsubscribes by the link of a mail, without signing in (RFC 8058). Mail programs post to it; browsers show a page with a button.
//!
//! A GET changes nothing, because malware scanners follow links. Only a POST with the body that the RFC requires does.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::SharedHttpState;
use super::mail_link::{self, Parameters};
use crate::domain::fault::Fault;
use crate::domain::notification::Offer;

/// Returns the page that explains what the link does.
pub(super) async fn show(
    State(state): State<SharedHttpState>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    Query(parameters): Query<Parameters>,
) -> Response {
    if let Some(refused) = mail_link::refused(&state, remote) {
        return refused;
    }
    let offer = state.services.unsubscribing.offer(&parameters.token).await;
    answer(&state, remote, offer)
}

/// Carries out the unsubscription.
pub(super) async fn carry_out(
    State(state): State<SharedHttpState>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let body = match mail_link::posted(&state, remote, body).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    if !is_one_click(&headers, body.as_ref()) {
        let text = "The body must be List-Unsubscribe=One-Click, as a form (RFC 8058).\n";
        return mail_link::plain(StatusCode::BAD_REQUEST, text);
    }
    let offer = state.services.unsubscribing.carry_out(&parameters.token).await;
    answer(&state, remote, offer)
}

/// Returns whether a body has the one field that RFC 8058 requires, in one of its two allowed forms.
fn is_one_click(headers: &HeaderMap, body: &[u8]) -> bool {
    if mail_link::is_form_with(headers, body, "List-Unsubscribe=One-Click") {
        return true;
    }
    let Ok(body) = std::str::from_utf8(body) else {
        return false;
    };
    let named = body.split_once("name=\"List-Unsubscribe\"");
    let is_named = named.is_some_and(|(_, rest)| rest.trim_start().starts_with("One-Click"));
    mail_link::media_type(headers) == "multipart/form-data" && is_named
}

fn answer(state: &SharedHttpState, remote: SocketAddr, offer: Result<Option<Offer>, Fault>) -> Response {
    let page = offer.and_then(|offer| {
        let page = offer.map(|offer| state.services.wording.unsubscribe_page(&offer));
        page.transpose()
    });
    mail_link::answer(state, remote, page)
}

#[cfg(test)]
mod tests {
    use axum::http::header;

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
