//! GraphQL over Server-Sent Events, for networks that break sockets: a response for each operation, which stays open.
//!
//! Follows PROTOCOL.md of the npm package graphql-sse in its distinct connections mode: `next` and `complete` events, and errors
//! of the operation as a `next`. Each event of a subscription has its cursor as its id, so that a client which sends
//! `Last-Event-ID` goes on where it was. A stream that ends without `complete` is to be asked for again: so it is when the token
//! expires, the caller is signed out, or the process ends.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::SharedDoor;
use super::answer::to_json;
use super::media;
use super::operation::{Outcome, Running};
use super::seats::Seat;
use super::server::Place;
use super::stall::StreamOpen;
use crate::primitives::clock::{Clock, Timestamp};

const EVENT_STREAM: &str = "text/event-stream";
/// Where a client that comes back has got to.
pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Says nothing, and keeps what stands between us and the client from taking the connection for dead.
const COMMENT: Bytes = Bytes::from_static(b":\n\n");

/// The longest that an alarm is set for.
const LONGEST_REST: Duration = Duration::from_hours(1);

/// Whether the request asks for an event stream rather than for an answer: of what it accepts and we have, it likes that best.
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    let is_stream = |name: &str| match name {
        EVENT_STREAM => Some(true),
        "application/graphql-response+json" | "application/json" | "application/*" | "*/*" => Some(false),
        _ => None,
    };
    media::best(&media::Range::all(headers, &header::ACCEPT), is_stream).unwrap_or(false)
}

/// The cursor after which the client wants to go on.
pub(super) fn last_event_id(headers: &HeaderMap) -> Option<&str> {
    headers.get(LAST_EVENT_ID)?.to_str().ok().filter(|id| !id.is_empty())
}

/// The response that gives what the operation gives, until `expires_at` at the latest.
pub(super) fn respond(
    door: &SharedDoor,
    (seat, place): (Seat, Option<Place>),
    operation: Running,
    expires_at: Option<Timestamp>,
) -> Response {
    let stream = EventStream {
        door: door.clone(),
        seat,
        _open: place.as_ref().map(Place::begin_stream),
        _place: place,
        expires_at,
    };
    let (events, body) = mpsc::channel(1);
    tokio::spawn(stream.run(operation, events));
    let body = ReceiverStream::new(body).map(Ok::<_, Infallible>);
    event_stream(Body::from_stream(body))
}

/// The response that tells why an operation is not executed.
pub(super) fn refuse(response: &async_graphql::Response) -> Response {
    event_stream(Body::from(next(&to_json(response), None) + COMPLETE))
}

fn event_stream(body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, EVENT_STREAM),
        (header::CACHE_CONTROL, "no-store"),
        // Reverse proxies such as nginx would hold events back until they have a bufferful.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// One stream, in a task of its own: a connection does not poll its body while the client takes nothing, and an operation that
/// waits in the middle of its work would hold up those who wait for the same.
struct EventStream {
    door: SharedDoor,
    seat: Seat,
    /// Has the connection ended sooner when the client is gone without a word.
    _open: Option<StreamOpen>,
    /// Among what its address may have open.
    _place: Option<Place>,
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

    /// Waits until the connection may not stay.
    async fn ends(&self) {
        let clock = &self.door.services.clock;
        let expired = async {
            match self.expires_at {
                Some(expires_at) => until(clock, expires_at).await,
                None => std::future::pending().await,
            }
        };
        let drained = async {
            self.door.drain.cancelled().await;
            let turn = self.door.settings.drain.mul_f64(self.seat.turn());
            clock.alarm(clock.elapsed() + turn).await;
        };
        tokio::select! {
            () = expired => {}
            () = drained => {}
            () = self.seat.signed_out() => {}
        }
    }

    /// Passes on what the operation gives, and a comment when that is nothing for a while.
    async fn pass_on(&self, mut operation: Running, events: &mpsc::Sender<Bytes>) {
        let clock = &self.door.services.clock;
        let limits = &self.door.settings.sockets;
        loop {
            let (event, is_last) = tokio::select! {
                outcome = operation.next() => match event(outcome) {
                    Some(event) => event,
                    None => return,
                },
                () = clock.alarm(clock.elapsed() + limits.ping_interval) => (COMMENT, false),
            };
            let is_gone = tokio::select! {
                sent = events.send(event) => sent.is_err(),
                () = clock.alarm(clock.elapsed() + limits.write_timeout) => true,
            };
            if is_gone || is_last {
                return;
            }
        }
    }
}

/// Waits until the clock has come to `at`, however it is set meanwhile.
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

/// The event that tells an outcome, and whether it is the last. `None` when the stream ends without one.
fn event(outcome: Option<Outcome>) -> Option<(Bytes, bool)> {
    match outcome {
        Some(Outcome::Next { result, cursor }) => Some((next(&result, cursor.as_deref()).into(), false)),
        Some(Outcome::Failed(response)) => Some(((next(&to_json(&response), None) + COMPLETE).into(), true)),
        Some(Outcome::SignedOut) => None,
        None => Some((Bytes::from_static(COMPLETE.as_bytes()), true)),
    }
}

/// With an empty field, or browsers would not tell of the event.
const COMPLETE: &str = "event: complete\ndata: \n\n";

/// A result as an event. JSON as we write it has no line breaks, and neither has a cursor.
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
