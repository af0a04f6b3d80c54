//! From what GraphQL said to an answer over HTTP. Which status goes with which answer is decided here and nowhere else.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use async_graphql::{Response, ServerError, Value};
use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use futures_util::stream;
use serde::Serialize;

use super::language::Language;
use super::log::RequestId;
use super::media::Media;
use super::seats::NoSeat;
use crate::graphql::{ErrorCode, code_of, refused_request, retry_after_seconds};

/// Why a request is not executed.
#[derive(Debug)]
pub(super) enum Rejection {
    /// The client takes none of the types that answers have.
    NotAcceptable,
    /// The body is not said to be JSON, or it is compressed.
    NotJson,
    /// The body is larger than is read.
    TooLarge,
    /// The body did not come in time.
    TooSlow,
    /// No request in the sense of the specification; what is wrong, for people.
    Malformed(String),
    /// Only POST changes things.
    MutationByGet,
    /// Subscriptions are streams, and the client does not take one.
    NotAStream,
    /// Nobody is signed in; what to do, for people.
    Unauthenticated(String),
    /// The caller has as many streams as it may.
    TooManyConnections(NoSeat),
    /// The server was told to stop, and begins nothing that lasts.
    Stopping,
    /// GraphQL refused it.
    Refused(Box<Response>),
}

/// The table of statuses for requests that are not executed, with what clients are told.
fn rejected(rejection: Rejection, media: Media) -> (StatusCode, Box<Response>) {
    let bad = |message: &str| Box::new(refused_request(ErrorCode::BadRequest, message));
    match rejection {
        Rejection::NotAcceptable => (
            StatusCode::NOT_ACCEPTABLE,
            bad("answers are application/graphql-response+json or application/json"),
        ),
        Rejection::NotJson => (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            bad("send the operation as application/json, not compressed"),
        ),
        Rejection::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, bad("the body must not exceed 64 KiB")),
        Rejection::TooSlow => (StatusCode::REQUEST_TIMEOUT, bad("the body did not come in time")),
        Rejection::Malformed(message) => (StatusCode::BAD_REQUEST, bad(&message)),
        Rejection::MutationByGet => (StatusCode::METHOD_NOT_ALLOWED, bad("mutations are sent by POST")),
        Rejection::NotAStream => (
            StatusCode::NOT_ACCEPTABLE,
            bad("subscriptions are streams: accept text/event-stream, or use a websocket at this address"),
        ),
        Rejection::Unauthenticated(message) => {
            let refused = refused_request(ErrorCode::Unauthenticated, message);
            (StatusCode::UNAUTHORIZED, Box::new(refused))
        }
        Rejection::TooManyConnections(no_seat) => {
            let refused = refused_request(ErrorCode::RateLimited, no_seat.to_string());
            (StatusCode::TOO_MANY_REQUESTS, Box::new(refused))
        }
        Rejection::Stopping => {
            let refused = refused_request(ErrorCode::Unavailable, "the server is stopping: connect to another one");
            (StatusCode::SERVICE_UNAVAILABLE, Box::new(refused))
        }
        Rejection::Refused(response) => (status_of(&response, media), response),
    }
}

/// The table of statuses for answers that GraphQL gave.
fn status_of(response: &Response, media: Media) -> StatusCode {
    if !is_request_error(response) {
        return StatusCode::OK;
    }
    let has = |code: ErrorCode| {
        let mut codes = response.errors.iter().map(code_of);
        codes.any(|given| given == Some(code.as_str()))
    };
    if has(ErrorCode::PersistedQueryNotFound) {
        // Clients of persisted queries stop asking by digest where the answer has another status.
        StatusCode::OK
    } else if has(ErrorCode::Unauthenticated) {
        StatusCode::UNAUTHORIZED
    } else if has(ErrorCode::Unavailable) {
        StatusCode::SERVICE_UNAVAILABLE
    } else if has(ErrorCode::Internal) {
        StatusCode::INTERNAL_SERVER_ERROR
    } else if has(ErrorCode::RateLimited) {
        StatusCode::TOO_MANY_REQUESTS
    } else if media == Media::LegacyJson {
        StatusCode::OK
    } else {
        StatusCode::BAD_REQUEST
    }
}

/// The request was never executed: there is no data, and no error has a place in it.
pub(super) fn is_request_error(response: &Response) -> bool {
    response.data == async_graphql::Value::Null && response.errors.iter().all(|error| error.path.is_empty())
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ServerError],
    /// Left out when the request was never executed, as the specification asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extensions: &'a BTreeMap<String, Value>,
}

/// What GraphQL said, as JSON.
pub(super) fn to_json(response: &Response) -> String {
    let shown = Shown {
        errors: &response.errors,
        data: (!is_request_error(response)).then_some(&response.data),
        extensions: &response.extensions,
    };
    // Only maps with keys that are no strings fail to become JSON, and a response has none.
    serde_json::to_string(&shown).unwrap_or_default()
}

/// What became of an operation.
#[derive(Debug)]
pub(super) enum Executed {
    /// It was executed, or refused.
    Made(Response),
    /// It asked for the schema itself, and the answer was there already.
    Remembered {
        /// Its `data` as JSON.
        data: Arc<str>,
        /// What it cost.
        cost: Value,
    },
}

impl Executed {
    /// As JSON, in one text.
    pub(super) fn to_json(&self) -> String {
        match self {
            Self::Made(response) => to_json(response),
            Self::Remembered { data, cost } => {
                let [before, after] = around(cost);
                [&*before, &**data, &*after].concat()
            }
        }
    }
}

/// What stands before and after remembered data.
fn around(cost: &Value) -> [Cow<'static, str>; 2] {
    let extensions = serde_json::json!({ "cost": cost });
    [r#"{"data":"#.into(), format!(r#","extensions":{extensions}}}"#).into()]
}

/// Its errors alone, as a list in JSON.
pub(super) fn errors_to_json(response: &Response) -> String {
    serde_json::to_string(&response.errors).unwrap_or_default()
}

/// A text whose bytes are sent.
struct Remembered(Arc<str>);

impl AsRef<[u8]> for Remembered {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Where an answer goes.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) media: Media,
    /// Told to the client beside errors, so that whoever is asked about one finds it in the log.
    pub(super) request_id: Option<RequestId>,
    /// What errors are written in.
    pub(super) language: Option<Language>,
}

impl Reply {
    /// What GraphQL said, or why it was not asked.
    pub(super) fn end(&self, ended: Result<Executed, Rejection>) -> axum::response::Response {
        match ended {
            Ok(Executed::Made(response)) => self.answer(response),
            Ok(Executed::Remembered { data, cost }) => self.remembered(data, &cost),
            Err(rejection) => self.reject(rejection),
        }
    }

    /// Sends data that is remembered without a copy of it.
    fn remembered(&self, data: Arc<str>, cost: &Value) -> axum::response::Response {
        let [before, after] = around(cost).map(|text| Bytes::from(text.into_owned()));
        let data = Bytes::from_owner(Remembered(data));
        let length = before.len() + data.len() + after.len();
        let parts = [before, data, after].map(Ok::<_, Infallible>);
        let mut answer = axum::response::Response::new(Body::from_stream(stream::iter(parts)));
        let headers = answer.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(self.media.content_type()),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::CONTENT_LENGTH, length.into());
        answer
    }

    /// What GraphQL said.
    fn answer(&self, response: Response) -> axum::response::Response {
        self.write(status_of(&response, self.media), response)
    }

    /// Why nothing was executed.
    fn reject(&self, rejection: Rejection) -> axum::response::Response {
        let header = match rejection {
            Rejection::Unauthenticated(_) => Some((header::WWW_AUTHENTICATE, "Bearer")),
            Rejection::MutationByGet => Some((header::ALLOW, "POST")),
            // What is left of the body is not waited for.
            Rejection::TooSlow | Rejection::TooLarge => Some((header::CONNECTION, "close")),
            _ => None,
        };
        let (status, response) = rejected(rejection, self.media);
        let mut answer = self.write(status, *response);
        if let Some((name, value)) = header {
            answer.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        answer
    }

    fn write(&self, status: StatusCode, mut response: Response) -> axum::response::Response {
        if let Some(language) = &self.language {
            language.translate(&mut response);
        }
        if let Some(RequestId(id)) = self.request_id.as_ref().filter(|_| !response.errors.is_empty()) {
            response.extensions.insert("requestId".to_owned(), Value::from(&**id));
        }
        let mut answer = axum::response::Response::new(Body::from(to_json(&response)));
        *answer.status_mut() = status;
        let mut set = |name: HeaderName, value| answer.headers_mut().insert(name, value);
        set(
            header::CONTENT_TYPE,
            HeaderValue::from_static(self.media.content_type()),
        );
        set(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let retry_after = match status {
            StatusCode::SERVICE_UNAVAILABLE => Some(1),
            _ => response.errors.iter().find_map(retry_after_seconds),
        };
        if let Some(seconds) = retry_after {
            set(header::RETRY_AFTER, seconds.into());
        }
        answer
    }
}

/// An answer to a request whose handler panicked. The panic itself has been logged by the panic hook of the process.
pub(super) fn panicked() -> axum::response::Response {
    let reply = Reply {
        media: Media::Json,
        request_id: None,
        language: None,
    };
    let response = refused_request(ErrorCode::Internal, "something went wrong on our side");
    reply.answer(response)
}
