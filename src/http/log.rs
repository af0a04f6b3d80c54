//! Logs requests. Each has an id, which its response contains, and a span that describes it.
//!
//! Credentials and variables are never logged.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use opentelemetry_http::HeaderExtractor;
use tracing::field::Empty;
use tracing::{Instrument, Span};
use uuid::Uuid;

use super::Traffic;
use crate::graphql::Operation;
use crate::primitives::trace;

/// The header that carries a request's id in both directions.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longer ids of clients are replaced.
const LONGEST_ID: usize = 64;

/// The id of a request in the log and in its response.
#[derive(Clone, Debug)]
pub(super) struct RequestId(pub(super) Arc<str>);

impl RequestId {
    /// Returns the client's id if it is safe to log; otherwise a new one.
    fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
        let is_fit = |id: &&str| {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
            (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(fits)
        };
        match given.filter(is_fit) {
            Some(given) => Self(given.into()),
            None => Self(Uuid::new_v4().to_string().into()),
        }
    }
}

/// Gives a request its id and its span, logs its result, and measures it. The API measures its own requests.
pub(super) async fn request(State(traffic): State<Traffic>, mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    let header = HeaderValue::from_str(&id.0);
    let span = tracing::info_span!(
        "request",
        id = %id.0,
        method = %request.method(),
        path = cut(request.uri().path()),
        operation = Empty,
        kind = Empty,
        cost = Empty,
        trace_id = Empty,
    );
    // Orchestrators probe every few seconds.
    let is_probe = request.uri().path().starts_with("/health/");
    let is_measured = !is_probe && request.uri().path() != "/graphql";
    let traced = if is_probe { Span::none() } else { traced(&request) };
    if let Some(trace_id) = trace::trace_id(&traced) {
        span.record("trace_id", tracing::field::display(trace_id));
    }
    request.extensions_mut().insert(id);
    let answering = async move {
        let begun = Instant::now();
        let timing = is_measured.then(|| traffic.time());
        let mut response = next.run(request).instrument(traced.clone()).await;
        if let Ok(header) = header {
            response.headers_mut().insert(REQUEST_ID, header);
        }
        let status = response.status().as_u16();
        trace::responded(&traced, status, response.status().is_server_error());
        drop(traced);
        drop(timing);
        let elapsed_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        if response.status().is_server_error() {
            tracing::warn!(status, elapsed_ms, "answered");
        } else if is_probe {
            tracing::debug!(status, elapsed_ms, "answered");
        } else {
            tracing::info!(status, elapsed_ms, "answered");
        }
        response
    };
    trace::logged(span, answering).await
}

/// Returns the span of a request in its trace. It names the pattern of the path: some paths are secret.
fn traced(request: &Request) -> Span {
    let method = match *request.method() {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::POST => "POST",
        _ => "_OTHER",
    };
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    trace::request(method, route, &HeaderExtractor(request.headers()))
}

/// Longer names and paths are cut in the log, because clients choose them.
const LONGEST_NAME: usize = 200;

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LONGEST_NAME)).unwrap_or(text)
}

/// Records the operation of the current request in its span.
pub(super) fn operation(operation: &Operation) {
    let span = trace::log_span();
    if let Some(name) = &operation.name {
        span.record("operation", cut(name));
    }
    span.record("kind", tracing::field::display(operation.kind));
    span.record("cost", operation.cost);
}
