//! GraphQL over Server-Sent Events, for networks that do not support sockets: one response per operation, which stays open.
//!
//! Follows PROTOCOL.md of the npm package graphql-sse in its distinct connections mode. There are `next` and `complete` events,
//! and errors of the operation are sent as a `next`.
//!
//! The id of each event of a subscription is its cursor, so that a client that sends `Last-Event-ID` continues after it. A
//! client requests a stream again that ends without `complete`. Streams end so when the token expires, the caller is signed out,
//! or the process ends.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::SharedHttpState;
use super::answer::to_json;
use super::live_connections::LiveConnection;
use super::media;
use super::operation::{Outcome, Running};
use super::server::ConnectionSlot;
use super::write_timeout::StreamOpen;
use crate::primitives::clock::{Clock, Timestamp};

const EVENT_STREAM: &str = "text/event-stream";
/// The header with the id of the last event that a reconnecting client has received.
pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// A comment, which clients ignore. It prevents proxies from closing the connection as idle.
const COMMENT: Bytes = Bytes::from_static(b":\n\n");

/// The longest time that an alarm is set for.
const LONGEST_REST: Duration = Duration::from_hours(1);

/// Returns whether the client prefers an event stream to the other supported types.
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    let is_stream = |name: &str| match name {
        EVENT_STREAM => Some(true),
        "application/graphql-response+json" | "application/json" | "application/*" | "*/*" => Some(false),
        _ => None,
    };
    media::best(&media::Range::all(headers, &header::ACCEPT), is_stream).unwrap_or(false)
}

/// Returns the cursor after which the client wants to continue.
pub(super) fn last_event_id(headers: &HeaderMap) -> Option<&str> {
    headers.get(LAST_EVENT_ID)?.to_str().ok().filter(|id| !id.is_empty())
}

/// Streams the results of an operation, until `expires_at` at the latest.
pub(super) fn respond(
    state: &SharedHttpState,
    (live_connection, slot): (LiveConnection, Option<ConnectionSlot>),
    operation: Running,
    expires_at: Option<Timestamp>,
) -> Response {
    let stream = EventStream {
        state: state.clone(),
        live_connection,
        _open: slot.as_ref().map(ConnectionSlot::begin_stream),
        _slot: slot,
        expires_at,
    };
    let (events, body) = mpsc::channel(1);
    tokio::spawn(stream.run(operation, events));
    let body = ReceiverStream::new(body).map(Ok::<_, Infallible>);
    event_stream(Body::from_stream(body))
}

/// Responds with the reason why an operation is not executed.
pub(super) fn refuse(response: &async_graphql::Response) -> Response {
    event_stream(Body::from(next(&to_json(response), None) + COMPLETE))
}

fn event_stream(body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, EVENT_STREAM),
        (header::CACHE_CONTROL, "no-store"),
        // Reverse proxies such as nginx would otherwise delay events until a buffer is full.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// One stream, in a task of its own. A connection does not poll its body while the client reads nothing. A waiting operation
/// may hold what other operations need, so it must still be polled.
struct EventStream {
    state: SharedHttpState,
    live_connection: LiveConnection,
    /// Makes the connection end sooner if the client disappears silently.
    _open: Option<StreamOpen>,
    /// Counts as an open connection of its address.
    _slot: Option<ConnectionSlot>,
    expires_at: Option<Timestamp>,
}

impl EventStream {
    async fn run(self, operation: Running, events: mpsc::Sender<Bytes>) {
        tokio::select! {
            () = self.ends() => {}
            () = events.closed() => {}
            () = self.pass_on(operation, &events) => {}
        }
    }

    /// Waits until the connection must end.
    async fn ends(&self) {
        let clock = &self.state.services.clock;
        let expired = async {
            match self.expires_at {
                Some(expires_at) => until(clock, expires_at).await,
                None => std::future::pending().await,
            }
        };
        let drained = async {
            self.state.drain.cancelled().await;
            let turn = self.state.settings.http.drain.mul_f64(self.live_connection.turn());
            clock.alarm(clock.elapsed() + turn).await;
        };
        tokio::select! {
            () = expired => {}
            () = drained => {}
            () = self.live_connection.signed_out() => {}
        }
    }

    /// Sends the results of the operation, and a comment after a time without results.
    async fn pass_on(&self, mut operation: Running, events: &mpsc::Sender<Bytes>) {
        let clock = &self.state.services.clock;
        let limits = &self.state.settings.sockets;
        loop {
            let mut known_since = None;
            let (event, is_last) = tokio::select! {
                outcome = operation.next() => {
                    known_since = outcome.as_ref().and_then(Outcome::known_since);
                    match event(outcome) {
                        Some(event) => event,
                        None => return,
                    }
                }
                () = clock.alarm(clock.elapsed() + limits.ping_interval) => (COMMENT, false),
            };
            let is_gone = tokio::select! {
                sent = events.send(event) => sent.is_err(),
                () = clock.alarm(clock.elapsed() + limits.write_timeout) => true,
            };
            if let Some(known_since) = known_since.filter(|_| !is_gone) {
                self.state.traffic.delivered(known_since.elapsed());
            }
            if is_gone || is_last {
                return;
            }
        }
    }
}

/// Waits until the clock reaches `at`, even if the clock is set meanwhile.
async fn until(clock: &Clock, at: Timestamp) {
    loop {
        let left = at.millis().saturating_sub(clock.now().millis());
        let Some(left) = u64::try_from(left).ok().filter(|left| *left > 0) else {
            return;
        };
        clock
            .alarm(clock.elapsed() + Duration::from_millis(left).min(LONGEST_REST))
            .await;
    }
}

/// Returns the event for an outcome, and whether it is the last. Returns `None` when the stream ends without
/// an event.
fn event(outcome: Option<Outcome>) -> Option<(Bytes, bool)> {
    match outcome {
        Some(Outcome::Next { result, cursor, .. }) => Some((next(&result, cursor.as_deref()).into(), false)),
        Some(Outcome::Failed(response)) => Some(((next(&to_json(&response), None) + COMPLETE).into(), true)),
        Some(Outcome::SignedOut) => None,
        None => Some((Bytes::from_static(COMPLETE.as_bytes()), true)),
    }
}

/// Contains an empty field, because browsers ignore an event without data.
const COMPLETE: &str = "event: complete\ndata: \n\n";

/// Formats a result as an event. Neither our JSON nor a cursor contains line breaks.
fn next(result: &str, cursor: Option<&str>) -> String {
    match cursor {
        Some(cursor) => format!("event: next\nid: {cursor}\ndata: {result}\n\n"),
        None => format!("event: next\ndata: {result}\n\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_stream_is_for_those_who_want_it_first() {
        let wanted = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            is_wanted(&headers)
        };
        assert!(!is_wanted(&HeaderMap::new()));
        for accept in [
            "text/event-stream",
            "Text/Event-Stream; q=1",
            "multipart/mixed, text/event-stream, application/json",
        ] {
            assert!(wanted(accept), "{accept}");
        }
        for accept in ["*/*", "application/json, text/event-stream", "text/html"] {
            assert!(!wanted(accept), "{accept}");
        }
    }
}
