//! Serves the simulated payment gateway over HTTP as if it were Stripe: its API, and the page on which its customers confirm
//! their payments. This is a separate server for development and for tests. It accepts every key with a test-mode prefix.

use std::io;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tower_http::cors::CorsLayer;

use super::SimulatedGateway;
use super::dialect::{Call, Reply};
use super::page::payment_page;

/// The maximum size of a form, in bytes.
const LARGEST_BODY: usize = 64 * 1_024;
/// The time limit for a form to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client waits at most for a response that never comes. Longer than the time limits of clients.
const SILENCE: Duration = Duration::from_mins(2);

/// What browsers allow a response of any type: almost nothing.
const HEADERS: [(HeaderName, &str); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
];

/// Returns all paths of the gateway as a server: the supported part of Stripe's API, and the page of its
/// customers.
pub fn router(gateway: SimulatedGateway) -> Router {
    Router::new()
        .fallback(answer)
        .with_state(gateway.clone())
        .merge(payment_page(gateway, None))
        .layer(middleware::from_fn(add_headers))
        // In development, pages of any site may call with the publishable key.
        .layer(CorsLayer::permissive())
}

async fn add_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        let headers = response.headers_mut();
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

async fn answer(State(gateway): State<SimulatedGateway>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = match tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, LARGEST_BODY)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(_) => return StatusCode::BAD_REQUEST.into_response(),
    };
    let text = |name: &str| {
        let value = head.headers.get(name).and_then(|value| value.to_str().ok());
        value.map(str::to_owned)
    };
    let call = Call {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        authorization: text("authorization"),
        idempotency_key: text("idempotency-key"),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let key = head.headers.get("idempotency-key").cloned();
    match gateway.answer(&call) {
        Reply::Answer {
            status,
            body,
            is_replay,
        } => with_headers(status, body, is_replay, key),
        Reply::Silence => {
            tokio::time::sleep(SILENCE).await;
            broken_off()
        }
        Reply::Lost => broken_off(),
    }
}

fn with_headers(status: u16, body: String, is_replay: bool, key: Option<HeaderValue>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let id = format!("req_{}", uuid::Uuid::new_v4().simple());
    let mut response = (status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(HeaderName::from_static("request-id"), id);
    }
    if let Some(key) = key {
        headers.insert(HeaderName::from_static("idempotency-key"), key);
    }
    if is_replay {
        headers.insert(
            HeaderName::from_static("idempotent-replayed"),
            HeaderValue::from_static("true"),
        );
    }
    response
}

/// Returns a response that ends before it is complete: the connection is cut.
fn broken_off() -> Response {
    let error = io::Error::new(
        io::ErrorKind::ConnectionReset,
        "the simulated gateway's connection was lost",
    );
    Response::new(Body::from_stream(stream::once(async { Err::<Vec<u8>, _>(error) })))
}
