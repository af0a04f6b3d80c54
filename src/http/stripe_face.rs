//! Serves the simulated payment gateway over HTTP as if it were Stripe: carries out what it replies, and the page on which its
//! customers confirm their payments. A server of its own, for development and for tests: it authenticates nobody in earnest.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tower_http::cors::CorsLayer;

use super::body::{self, Unread};
use super::payment_page::{Confirm, payment_page};
use super::security_headers;

/// The longest form that is read, in bytes.
const LARGEST_BODY: usize = 64 * 1_024;
/// How long a form may take to come.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// So long whoever is never answered is kept waiting, at the most: longer than clients wait.
const SILENCE: Duration = Duration::from_mins(2);

/// A request to the gateway.
#[derive(Clone, Debug)]
pub struct StripeCall {
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// What follows the question mark.
    pub query: String,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The `Idempotency-Key` header.
    pub idempotency_key: Option<String>,
    /// The form.
    pub body: String,
}

/// What the gateway makes of it.
#[derive(Clone, Debug)]
pub enum StripeReply {
    /// A status and JSON, and whether it is what was answered to the same key before.
    Answer(u16, String, bool),
    /// It never answers.
    Silence,
    /// The connection breaks off.
    Lost,
}

/// The gateway.
pub type StripeGateway = Arc<dyn Fn(StripeCall) -> StripeReply + Send + Sync>;

/// All paths of the gateway.
pub fn stripe_face(gateway: StripeGateway, confirm: Confirm) -> Router {
    Router::new()
        .fallback(answer)
        .with_state(gateway)
        .merge(payment_page(confirm, None))
        .layer(middleware::from_fn(security_headers::add))
        // Pages of any site in development may call with the publishable key.
        .layer(CorsLayer::permissive())
}

async fn answer(State(gateway): State<StripeGateway>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = match body::read(body, LARGEST_BODY, BODY_TIMEOUT).await {
        Ok(body) => body,
        Err(Unread::TooLarge) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(Unread::TooSlow | Unread::Broken) => return StatusCode::BAD_REQUEST.into_response(),
    };
    let text = |name: &str| {
        let value = head.headers.get(name).and_then(|value| value.to_str().ok());
        value.map(str::to_owned)
    };
    let call = StripeCall {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        authorization: text("authorization"),
        idempotency_key: text("idempotency-key"),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let key = head.headers.get("idempotency-key").cloned();
    match gateway(call) {
        StripeReply::Answer(status, body, is_replay) => with_headers(status, body, is_replay, key),
        StripeReply::Silence => {
            tokio::time::sleep(SILENCE).await;
            broken_off()
        }
        StripeReply::Lost => broken_off(),
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

/// An answer that ends before it is whole: the connection is cut.
fn broken_off() -> Response {
    let error = io::Error::new(
        io::ErrorKind::ConnectionReset,
        "the simulated gateway's connection was lost",
    );
    Response::new(Body::from_stream(stream::once(async { Err::<Vec<u8>, _>(error) })))
}
