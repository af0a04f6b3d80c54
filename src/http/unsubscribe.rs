//! Unsubscribes by the link of a mail, without signing in (RFC 8058). Mail programs post to it; browsers show a page with a button.
//!
//! A GET changes nothing, because malware scanners follow links. Only a POST with the body that the RFC requires does.

use axum::http::HeaderMap;

use super::HttpState;
use super::mail_link::{MailLink, Step, is_form_with, media_type};
use crate::domain::fault::Fault;

/// The link that unsubscribes.
pub(super) enum Unsubscribe {}

impl MailLink for Unsubscribe {
    const WRONG_BODY: &'static str = "The body must be List-Unsubscribe=One-Click, as a form (RFC 8058).\n";

    fn accepts(headers: &HeaderMap, body: &[u8]) -> bool {
        is_one_click(headers, body)
    }

    async fn page(state: &HttpState, token: &str, step: Step) -> Result<Option<String>, Fault> {
        let unsubscribing = &state.services.unsubscribing;
        let offer = match step {
            Step::Show => unsubscribing.offer(token).await?,
            Step::CarryOut => unsubscribing.carry_out(token).await?,
        };
        offer
            .map(|offer| state.services.wording.unsubscribe_page(&offer))
            .transpose()
    }
}

/// Returns whether a body has the one field that RFC 8058 requires, in one of its two allowed forms.
fn is_one_click(headers: &HeaderMap, body: &[u8]) -> bool {
    if is_form_with(headers, body, "List-Unsubscribe=One-Click") {
        return true;
    }
    let Ok(body) = std::str::from_utf8(body) else {
        return false;
    };
    let named = body.split_once("name=\"List-Unsubscribe\"");
    let is_named = named.is_some_and(|(_, rest)| rest.trim_start().starts_with("One-Click"));
    media_type(headers) == "multipart/form-data" && is_named
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
