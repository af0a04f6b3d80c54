//! Confirms a notification address by the link of a mail, without signing in. The link opens a page with a button, which
//! posts.

use axum::http::HeaderMap;

use super::HttpState;
use super::mail_link::{MailLink, Step, is_form_with};
use crate::domain::fault::Fault;

/// The link that confirms an address.
pub(super) enum ConfirmAddress {}

impl MailLink for ConfirmAddress {
    const WRONG_BODY: &'static str = "The body must be confirm=yes, as a form.\n";

    fn accepts(headers: &HeaderMap, body: &[u8]) -> bool {
        is_form_with(headers, body, "confirm=yes")
    }

    async fn page(state: &HttpState, token: &str, step: Step) -> Result<Option<String>, Fault> {
        let confirming = &state.services.confirming;
        let confirmation = match step {
            Step::Show => confirming.offer(token).await?,
            Step::CarryOut => confirming.carry_out(token).await?,
        };
        let wording = &state.services.wording;
        confirmation
            .map(|confirmation| wording.confirmation_page(&confirmation))
            .transpose()
    }
}
