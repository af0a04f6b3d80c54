//! Confirms a notification address by the link of a mail, without signing in. The link opens a page with a button, which
//! posts.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::SharedHttpState;
use super::mail_link::{self, Parameters};
use crate::domain::fault::Fault;
use crate::domain::notification::Confirmation;

/// Returns the page that explains what the link does.
pub(super) async fn show(
    State(state): State<SharedHttpState>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    Query(parameters): Query<Parameters>,
) -> Response {
    if let Some(refused) = mail_link::refused(&state, remote) {
        return refused;
    }
    let confirmation = state.services.confirming.offer(&parameters.token).await;
    answer(&state, remote, confirmation)
}

/// Confirms the address.
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
    if !mail_link::is_form_with(&headers, body.as_ref(), "confirm=yes") {
        return mail_link::plain(StatusCode::BAD_REQUEST, "The body must be confirm=yes, as a form.\n");
    }
    let confirmation = state.services.confirming.carry_out(&parameters.token).await;
    answer(&state, remote, confirmation)
}

fn answer(state: &SharedHttpState, remote: SocketAddr, confirmation: Result<Option<Confirmation>, Fault>) -> Response {
    let page = confirmation.and_then(|confirmation| {
        let page = confirmation.map(|confirmation| state.services.wording.confirmation_page(&confirmation));
        page.transpose()
    });
    mail_link::answer(state, remote, page)
}
