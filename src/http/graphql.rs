//! GraphQL over HTTP.
//!
//! Refused before anything is parsed: bodies that are too large, of another type, or several operations in one. Only POST changes
//! things. Which status goes with which answer is decided in one place, [`status_of`].

use std::collections::HashMap;

use async_graphql::{Request, Response, Variables};
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use futures_util::StreamExt;
use serde::Serialize;
use serde_json::Value;

use super::SharedDoor;
use super::auth::{self, Refused};
use crate::graphql::{ApiError, Caller, ErrorCode, code_of, intent, refused_request};

/// The largest body that is read, in bytes.
const LARGEST_BODY: usize = 64 * 1024;

/// How an answer is labelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    /// `application/graphql-response+json`: the status says how it went.
    GraphqlResponse,
    /// `application/json`, asked for by name: old clients take any status but 200 for a broken server.
    LegacyJson,
    /// `application/json`, for clients that did not say.
    Json,
}

impl Media {
    /// The first type in `Accept` that we have. `None` when there is none.
    fn accepted(headers: &HeaderMap) -> Option<Self> {
        let accepts: Vec<&str> = headers
            .get_all(header::ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|range| range.split(';').next().unwrap_or_default().trim())
            .filter(|range| !range.is_empty())
            .collect();
        if accepts.is_empty() {
            return Some(Self::Json);
        }
        accepts
            .iter()
            .find_map(|range| match range.to_ascii_lowercase().as_str() {
                "application/graphql-response+json" => Some(Self::GraphqlResponse),
                "application/json" => Some(Self::LegacyJson),
                "*/*" | "application/*" => Some(Self::Json),
                _ => None,
            })
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::LegacyJson | Self::Json => "application/json; charset=utf-8",
        }
    }
}

/// A request that is not one, with the status that says so.
type Malformed = (StatusCode, Box<Response>);

fn malformed(status: StatusCode, message: &str) -> Malformed {
    (status, Box::new(refused_request(ErrorCode::BadRequest, message)))
}

pub(super) async fn post(State(door): State<SharedDoor>, headers: HeaderMap, body: Body) -> axum::response::Response {
    let Some(media) = Media::accepted(&headers) else {
        return not_acceptable();
    };
    match read(&headers, body).await {
        Ok(request) => execute(&door, &headers, media, request, false).await,
        Err((status, response)) => answer(status, media, &response),
    }
}

pub(super) async fn get(
    State(door): State<SharedDoor>,
    headers: HeaderMap,
    Query(parameters): Query<HashMap<String, String>>,
) -> axum::response::Response {
    let Some(media) = Media::accepted(&headers) else {
        return not_acceptable();
    };
    match from_parameters(parameters) {
        Ok(request) => execute(&door, &headers, media, request, true).await,
        Err((status, response)) => answer(status, media, &response),
    }
}

async fn execute(
    door: &SharedDoor,
    headers: &HeaderMap,
    media: Media,
    mut request: Request,
    by_get: bool,
) -> axum::response::Response {
    // Before sign-in: what is too much to look at costs no statement.
    let intent = match intent(&mut request) {
        Ok(intent) => intent,
        Err(response) => return answer(status_of(&response, media), media, &response),
    };
    let caller = match auth::caller(headers, &door.services.sign_in).await {
        Ok(caller) => caller,
        Err(Refused::Unauthenticated(message)) => return unauthenticated(media, &message),
        Err(Refused::Fault(fault)) => {
            let response = ApiError::from(fault).into_response();
            return answer(status_of(&response, media), media, &response);
        }
    };
    if by_get && intent.is_mutation {
        let refused = refused_request(ErrorCode::BadRequest, "mutations are sent by POST");
        let mut response = answer(StatusCode::METHOD_NOT_ALLOWED, media, &refused);
        let allowed = HeaderValue::from_static("POST");
        response.headers_mut().insert(header::ALLOW, allowed);
        return response;
    }
    let caller: Option<Caller> = match caller {
        None if !intent.is_introspection => {
            return unauthenticated(media, "sign in: send `Authorization: Bearer <token or API key>`");
        }
        caller => caller,
    };
    let response = door.schema.execute(request, caller).await;
    answer(status_of(&response, media), media, &response)
}

/// A request from a body of JSON.
async fn read(headers: &HeaderMap, body: Body) -> Result<Request, Malformed> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !content_type.is_some_and(is_json) {
        return Err(malformed(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "send the operation as application/json",
        ));
    }
    let bytes = bounded(body).await?;
    if bytes.windows(NUL.len()).any(|text| text == NUL.as_bytes()) {
        return Err(nul());
    }
    let json = serde_json::from_slice(&bytes).map_err(|error| {
        // Where, but not what: the text itself is the client's.
        let message = format!(
            "the body is not JSON (line {}, column {})",
            error.line(),
            error.column()
        );
        malformed(StatusCode::BAD_REQUEST, &message)
    })?;
    from_json(json)
}

/// How JSON and GraphQL write the character 0, which Postgres cannot keep: no text that anybody means has it.
const NUL: &str = "\\u0000";

fn nul() -> Malformed {
    malformed(StatusCode::BAD_REQUEST, "texts must not contain the character U+0000")
}

/// The body, read no further than its bound, whatever its length was said to be.
async fn bounded(body: Body) -> Result<Vec<u8>, Malformed> {
    let mut stream = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| malformed(StatusCode::BAD_REQUEST, "the body could not be read"))?;
        if bytes.len() + chunk.len() > LARGEST_BODY {
            return Err(malformed(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the body must not exceed 64 KiB",
            ));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// `application/json`, in UTF-8 if it says in what.
fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let is_json = parts
        .next()
        .is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    is_json
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
                value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        })
}

fn from_json(json: Value) -> Result<Request, Malformed> {
    let bad = |message| malformed(StatusCode::BAD_REQUEST, message);
    let mut fields = match json {
        Value::Object(fields) => fields,
        Value::Array(_) => {
            return Err(bad(
                "send one operation at a time: lists of operations are not accepted",
            ));
        }
        _ => return Err(bad("the body must be a JSON object")),
    };
    let Some(Value::String(query)) = fields.remove("query") else {
        return Err(bad("query must be a string"));
    };
    let operation_name = match fields.remove("operationName") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => Some(name),
        Some(_) => return Err(bad("operationName must be a string")),
    };
    let variables = match fields.remove("variables") {
        None | Some(Value::Null) => Value::Null,
        Some(Value::Object(variables)) => Value::Object(variables),
        Some(_) => return Err(bad("variables must be an object")),
    };
    if !matches!(fields.remove("extensions"), None | Some(Value::Null | Value::Object(_))) {
        return Err(bad("extensions must be an object"));
    }
    let mut request = Request::new(query).variables(Variables::from_json(variables));
    request.operation_name = operation_name;
    Ok(request)
}

/// A request from the parameters of a URL, where variables are JSON in a text.
fn from_parameters(mut parameters: HashMap<String, String>) -> Result<Request, Malformed> {
    if parameters
        .values()
        .any(|value| value.contains(NUL) || value.contains('\0'))
    {
        return Err(nul());
    }
    let mut fields = serde_json::Map::new();
    for name in ["query", "operationName"] {
        if let Some(value) = parameters.remove(name) {
            fields.insert(name.to_owned(), Value::String(value));
        }
    }
    for name in ["variables", "extensions"] {
        if let Some(value) = parameters.remove(name).filter(|value| !value.is_empty()) {
            let value = serde_json::from_str(&value)
                .map_err(|_| malformed(StatusCode::BAD_REQUEST, &format!("{name} must be JSON")))?;
            fields.insert(name.to_owned(), value);
        }
    }
    from_json(Value::Object(fields))
}

/// The one table of statuses for answers that GraphQL gave.
fn status_of(response: &Response, media: Media) -> StatusCode {
    if !is_request_error(response) {
        return StatusCode::OK;
    }
    let has = |code: ErrorCode| {
        let mut codes = response.errors.iter().map(code_of);
        codes.any(|given| given == Some(code.as_str()))
    };
    if has(ErrorCode::Unauthenticated) {
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
fn is_request_error(response: &Response) -> bool {
    response.data == async_graphql::Value::Null && response.errors.iter().all(|error| error.path.is_empty())
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [async_graphql::ServerError],
    /// Left out when the request was never executed, as the specification asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a async_graphql::Value>,
}

/// An answer in the form that the client takes.
pub(super) fn answer(status: StatusCode, media: Media, response: &Response) -> axum::response::Response {
    let shown = Shown {
        errors: &response.errors,
        data: (!is_request_error(response)).then_some(&response.data),
    };
    // Only maps with keys that are no strings fail to become JSON, and a response has none.
    let body = serde_json::to_vec(&shown).unwrap_or_default();
    let mut answer = axum::response::Response::new(Body::from(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media.content_type()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    answer
}

fn unauthenticated(media: Media, message: &str) -> axum::response::Response {
    let refused = refused_request(ErrorCode::Unauthenticated, message);
    let mut answer = answer(StatusCode::UNAUTHORIZED, media, &refused);
    let challenge = HeaderValue::from_static("Bearer");
    answer.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    answer
}

fn not_acceptable() -> axum::response::Response {
    let refused = refused_request(
        ErrorCode::BadRequest,
        "answers are application/graphql-response+json or application/json",
    );
    answer(StatusCode::NOT_ACCEPTABLE, Media::Json, &refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_in_utf_8_is_read() {
        for accepted in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=\"utf-8\"",
        ] {
            assert!(is_json(accepted), "{accepted}");
        }
        for refused in [
            "",
            "text/plain",
            "application/json; charset=latin1",
            "multipart/form-data",
            "application/graphql",
        ] {
            assert!(!is_json(refused), "{refused}");
        }
    }

    #[test]
    fn answers_have_the_first_type_that_is_accepted() {
        let accepted = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(text));
            Media::accepted(&headers)
        };
        assert_eq!(Media::accepted(&HeaderMap::new()), Some(Media::Json));
        assert_eq!(accepted("*/*"), Some(Media::Json));
        assert_eq!(accepted("application/json"), Some(Media::LegacyJson));
        assert_eq!(
            accepted("application/graphql-response+json, application/json;q=0.9"),
            Some(Media::GraphqlResponse)
        );
        assert_eq!(accepted("text/html"), None);
    }

    #[test]
    fn one_operation_at_a_time() {
        for body in [
            serde_json::json!([{ "query": "{ __typename }" }]),
            serde_json::json!("{ __typename }"),
            serde_json::json!({}),
            serde_json::json!({ "query": 1 }),
            serde_json::json!({ "query": "{ __typename }", "variables": [] }),
            serde_json::json!({ "query": "{ __typename }", "operationName": 1 }),
        ] {
            let status = from_json(body.clone()).map(|_| ()).map_err(|(status, _)| status);
            assert_eq!(status, Err(StatusCode::BAD_REQUEST), "{body}");
        }
    }
}
