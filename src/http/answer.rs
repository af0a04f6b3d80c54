//! Converts results of GraphQL to HTTP responses. Only this module selects the status of a response.

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
use super::live_connections::ConnectionRefusal;
use super::log::RequestId;
use super::media::Media;
use crate::graphql::{self, ErrorCode, code_of, refused_request, retry_after_seconds};

/// Why a request is not executed.
#[derive(Debug)]
pub(super) enum Rejection {
    /// The client accepts none of the response types.
    NotAcceptable,
    /// The body is compressed, or its content type is not JSON.
    NotJson,
    /// The body exceeds the limit.
    TooLarge,
    /// The body did not arrive in time.
    TooSlow,
    /// The request does not follow the specification. Contains a human-readable reason.
    Malformed(String),
    /// Mutations must be sent by POST.
    MutationByGet,
    /// Subscriptions are streams, and the client does not accept one.
    NotAStream,
    /// No caller is signed in. Contains a human-readable instruction.
    Unauthenticated(String),
    /// The caller has reached its limit of streams.
    TooManyConnections(ConnectionRefusal),
    /// The server is stopping and starts nothing that lasts.
    Stopping,
    /// GraphQL refused the request.
    Refused(Box<Response>),
}

/// The table of statuses and errors for requests that are not executed.
fn rejected(rejection: Rejection, media: Media) -> (StatusCode, Box<Response>) {
    let bad = |message: &str| Box::new(refused_request(ErrorCode::BadRequest, message));
    match rejection {
        Rejection::NotAcceptable => (
            StatusCode::NOT_ACCEPTABLE,
            bad("responses are application/graphql-response+json or application/json: accept one of them"),
        ),
        Rejection::NotJson => (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            bad("send the operation as application/json, not compressed"),
        ),
        Rejection::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, bad("the body must not exceed 64 KiB")),
        Rejection::TooSlow => (StatusCode::REQUEST_TIMEOUT, bad("the body was not received in time")),
        Rejection::Malformed(message) => (StatusCode::BAD_REQUEST, bad(&message)),
        Rejection::MutationByGet => (StatusCode::METHOD_NOT_ALLOWED, bad("send mutations by POST")),
        Rejection::NotAStream => (
            StatusCode::NOT_ACCEPTABLE,
            bad("subscriptions are streams: accept text/event-stream, or use a websocket at this address"),
        ),
        Rejection::Unauthenticated(message) => {
            let refused = refused_request(ErrorCode::Unauthenticated, message);
            (StatusCode::UNAUTHORIZED, Box::new(refused))
        }
        Rejection::TooManyConnections(refusal) => {
            let refused = refused_request(ErrorCode::RateLimited, refusal.to_string());
            (StatusCode::TOO_MANY_REQUESTS, Box::new(refused))
        }
        Rejection::Stopping => {
            let refused = refused_request(ErrorCode::Unavailable, "the server is stopping: connect to another one");
            (StatusCode::SERVICE_UNAVAILABLE, Box::new(refused))
        }
        Rejection::Refused(response) => (status_of(&response, media), response),
    }
}

/// The table of statuses for responses of GraphQL.
fn status_of(response: &Response, media: Media) -> StatusCode {
    if !is_request_error(response) {
        return StatusCode::OK;
    }
    let has = |code: ErrorCode| {
        let mut codes = response.errors.iter().map(code_of);
        codes.any(|given| given == Some(code.as_str()))
    };
    if has(ErrorCode::PersistedQueryNotFound) {
        // Clients of persisted queries stop sending digests if the response has another status.
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

/// Returns whether the request was never executed. Then there is no data, and no error has a path.
pub(super) fn is_request_error(response: &Response) -> bool {
    response.data == async_graphql::Value::Null && response.errors.iter().all(|error| error.path.is_empty())
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ServerError],
    /// Absent if the request was never executed, as the specification requires.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extensions: &'a BTreeMap<String, Value>,
}

/// Converts a GraphQL response to JSON.
pub(super) fn to_json(response: &Response) -> String {
    let shown = Shown {
        errors: &response.errors,
        data: (!is_request_error(response)).then_some(&response.data),
        extensions: &response.extensions,
    };
    // Only maps with keys that are not strings fail to serialize, and a response has none.
    graphql::to_json(&shown).unwrap_or_default()
}

/// The result of an operation.
#[derive(Debug)]
pub(super) enum Executed {
    /// It was executed, or refused.
    Made(Response),
    /// It queried only the schema, and the response was cached.
    Remembered {
        /// The `data` of the response, as JSON.
        data: Arc<str>,
        /// The cost of the operation.
        cost: Value,
    },
}

impl Executed {
    /// Converts the result to one JSON text.
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

/// Returns the JSON before and after cached data.
fn around(cost: &Value) -> [Cow<'static, str>; 2] {
    let extensions = serde_json::json!({ "cost": cost });
    [r#"{"data":"#.into(), format!(r#","extensions":{extensions}}}"#).into()]
}

/// Returns the errors as a JSON list.
pub(super) fn errors_to_json(response: &Response) -> String {
    serde_json::to_string(&response.errors).unwrap_or_default()
}

/// A shared text whose bytes are sent without a copy.
struct Remembered(Arc<str>);

impl AsRef<[u8]> for Remembered {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// The parts of a request that shape its response.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) media: Media,
    /// Sent to the client with errors, so that support can find the request in the log.
    pub(super) request_id: Option<RequestId>,
    /// The language of errors.
    pub(super) language: Option<Language>,
}

impl Reply {
    /// Returns the HTTP response for a result, or for the reason why nothing was executed.
    pub(super) fn end(&self, ended: Result<Executed, Rejection>) -> axum::response::Response {
        match ended {
            Ok(Executed::Made(response)) => self.answer(response),
            Ok(Executed::Remembered { data, cost }) => self.remembered(data, &cost),
            Err(rejection) => self.reject(rejection),
        }
    }

    /// Sends cached data without a copy.
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

    fn answer(&self, response: Response) -> axum::response::Response {
        self.write(status_of(&response, self.media), response)
    }

    fn reject(&self, rejection: Rejection) -> axum::response::Response {
        let header = match rejection {
            Rejection::Unauthenticated(_) => Some((header::WWW_AUTHENTICATE, "Bearer")),
            Rejection::MutationByGet => Some((header::ALLOW, "POST")),
            // The server does not wait for the rest of the body.
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

/// The response to a request whose handler panicked. The panic hook of the process has already logged the panic.
pub(super) fn panicked() -> axum::response::Response {
    let reply = Reply {
        media: Media::Json,
        request_id: None,
        language: None,
    };
    let response = refused_request(ErrorCode::Internal, "something went wrong on our side");
    reply.answer(response)
}
