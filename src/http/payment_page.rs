//! The page of the simulated payment gateway on which its customer confirms a payment with a bank that does not exist.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

/// Tells the gateway that the customer confirms a payment, or gives up. Says whether that was waited for.
pub type Confirm = Arc<dyn Fn(&str, bool) -> bool + Send + Sync>;

/// The page, and where its buttons lead.
pub(super) fn payment_page(confirm: Confirm) -> Router {
    Router::new()
        .route("/simulated-gateway/authenticate/{id}", get(show).post(answer))
        .with_state(confirm)
}

#[derive(Deserialize)]
struct Answer {
    confirm: bool,
}

async fn show() -> Html<&'static str> {
    Html(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Confirm a payment</title>\
         <h1>Your bank wants to know whether this is you</h1>\
         <p>This is the simulated payment gateway: no money moves.</p>\
         <form method=\"post\" action=\"?confirm=true\"><button>Confirm the payment</button></form>\
         <form method=\"post\" action=\"?confirm=false\"><button>Give up</button></form></html>",
    )
}

async fn answer(State(confirm): State<Confirm>, Path(id): Path<String>, Query(answer): Query<Answer>) -> Response {
    if confirm(&id, answer.confirm) {
        Html("<!doctype html><title>Done</title><p>Thank you. You can close this page.</p>").into_response()
    } else {
        (StatusCode::NOT_FOUND, "This payment does not wait for anybody.\n").into_response()
    }
}
