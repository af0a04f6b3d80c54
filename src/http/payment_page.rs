//! The page of the simulated payment gateway on which its customer confirms a payment with a bank that does not exist.
//!
//! Its address has a token that cannot be guessed, so that only the customer who was sent there can answer. The answer is taken only
//! from the page itself: another site's form is refused.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use super::origin::Origins;

/// What a customer does on the page of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visit {
    /// Opens it.
    Opens,
    /// Confirms the payment.
    Confirms,
    /// Gives up.
    GivesUp,
}

/// Reports to the gateway what a customer does on the page of a payment, by the payment's id and token. Returns whether there is such
/// a payment and it waits for that.
pub type Confirm = Arc<dyn Fn(&str, &str, Visit) -> bool + Send + Sync>;

/// What the page needs.
#[derive(Clone)]
struct Page {
    confirm: Confirm,
    /// How clients reach the server, if that is not where it listens.
    public_url: Option<String>,
}

/// The page, and where its buttons lead.
pub(super) fn payment_page(confirm: Confirm, public_url: Option<String>) -> Router {
    Router::new()
        .route("/simulated-gateway/authenticate/{id}/{token}", get(show).post(answer))
        .with_state(Page { confirm, public_url })
}

#[derive(Deserialize)]
struct Answer {
    confirm: bool,
}

async fn show(State(page): State<Page>, Path((id, token)): Path<(String, String)>) -> Response {
    if !(page.confirm)(&id, &token, Visit::Opens) {
        return no_such_payment();
    }
    html(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Confirm a payment</title>\
         <h1>Your bank wants to know whether this is you</h1>\
         <p>This is the simulated payment gateway: no money moves.</p>\
         <form method=\"post\" action=\"?confirm=true\"><button>Confirm the payment</button></form>\
         <form method=\"post\" action=\"?confirm=false\"><button>Give up</button></form></html>",
    )
}

async fn answer(
    State(page): State<Page>,
    Path((id, token)): Path<(String, String)>,
    Query(answer): Query<Answer>,
    headers: HeaderMap,
) -> Response {
    if !is_from_the_page(&headers, page.public_url.as_deref()) {
        let text = "Another site sent this. Open the page of the payment and answer there.\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    let visit = if answer.confirm {
        Visit::Confirms
    } else {
        Visit::GivesUp
    };
    if (page.confirm)(&id, &token, visit) {
        html(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Done</title><p>Thank you. You can close this page.</p></html>",
        )
    } else {
        no_such_payment()
    }
}

/// Whether the form was sent from the page itself. Browsers say so in `Sec-Fetch-Site`, older ones in `Origin` alone. What sends
/// neither is no page of another site.
fn is_from_the_page(headers: &HeaderMap, public_url: Option<&str>) -> bool {
    let site = headers.get("sec-fetch-site");
    let is_same_site = site.is_none_or(|site| site == "same-origin");
    is_same_site && Origins::default().may_connect(headers, public_url)
}

fn html(text: &'static str) -> Response {
    let mut response = Html(text).into_response();
    // Not "no-referrer": with that, browsers say "null" for the origin of the page's own form.
    let referrer = (header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
        .headers_mut()
        .extend([referrer, (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))]);
    response
}

fn no_such_payment() -> Response {
    let text = "No payment waits here for a confirmation.\n";
    (StatusCode::NOT_FOUND, text).into_response()
}
