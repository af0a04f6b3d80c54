//! The page of the simulated payment gateway on which its customer confirms a payment with a simulated bank.
//!
//! Its address contains a token that cannot be guessed, so that only the customer who was sent there can answer. The answer is
//! accepted only from the page itself: a form of another site is refused.

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use super::SimulatedGateway;

/// The state of the page.
#[derive(Clone)]
struct Page {
    gateway: SimulatedGateway,
    /// The URL by which browsers reach the server, if it differs from the listening address.
    public_url: Option<String>,
}

/// Returns the routes of the page on which customers confirm their payments, and of its buttons.
pub fn payment_page(gateway: SimulatedGateway, public_url: Option<String>) -> Router {
    Router::new()
        .route("/simulated-gateway/authenticate/{id}/{token}", get(show).post(answer))
        .with_state(Page { gateway, public_url })
}

#[derive(Deserialize)]
struct Answer {
    confirm: bool,
}

async fn show(State(page): State<Page>, Path((id, token)): Path<(String, String)>) -> Response {
    if !page.gateway.is_page_of(&id, &token) {
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
        let text = "Another site sent this request. Open the page of the payment and answer there.\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    if page.gateway.is_page_of(&id, &token) && page.gateway.authenticate(&id, answer.confirm) {
        html(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Done</title><p>Thank you. You can close this page.</p></html>",
        )
    } else {
        no_such_payment()
    }
}

/// Returns whether the page itself sent the form. Browsers report this in `Sec-Fetch-Site`, older ones only in `Origin`. A
/// request with neither comes from no page of another site.
fn is_from_the_page(headers: &HeaderMap, public_url: Option<&str>) -> bool {
    let site = headers.get("sec-fetch-site");
    let is_same_site = site.is_none_or(|site| site == "same-origin");
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let is_own = match (origins.next(), origins.next()) {
        (None, _) => true,
        (Some(origin), None) => origin.to_str().is_ok_and(|origin| is_own(origin, headers, public_url)),
        (Some(_), Some(_)) => false,
    };
    is_same_site && is_own
}

/// Returns whether an origin is that of this server.
fn is_own(origin: &str, headers: &HeaderMap, public_url: Option<&str>) -> bool {
    if let Some(url) = public_url {
        let own: Vec<&str> = url.splitn(4, '/').take(3).collect();
        return origin.eq_ignore_ascii_case(&own.join("/"));
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let page = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"));
    host.is_some() && page == host
}

fn html(text: &'static str) -> Response {
    let mut response = Html(text).into_response();
    // Not "no-referrer": with that, browsers send "null" as the origin of the page's own form.
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
