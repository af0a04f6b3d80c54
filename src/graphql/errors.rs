//! Errors at the top level of a response: errors in the request, and failures of the server.
//!
//! Every error has a code of a closed list. A failure that the client cannot act upon is logged here once. The client receives
//! a reference to the log line instead of any detail.

use async_graphql::{Error, ErrorExtensions, Response, ServerError};
use uuid::Uuid;

use super::scalars;
use crate::domain::fault::{Fault, InvalidInput, QueryError};
use crate::primitives::actor::{AccessError, Permission};

/// The closed list of `extensions.code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// The credentials are missing or not accepted.
    Unauthenticated,
    /// The caller may not see or do this.
    Forbidden,
    /// The request is not valid.
    BadRequest,
    /// No document with this digest is known: send the digest with the text.
    PersistedQueryNotFound,
    /// The operation costs more than one request may.
    TooComplex,
    /// Too many requests; retry later.
    RateLimited,
    /// A service that the server depends on is unavailable; a retry may succeed.
    Unavailable,
    /// An internal failure of the server.
    Internal,
}

impl ErrorCode {
    /// Returns the text of `extensions.code`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::BadRequest => "BAD_REQUEST",
            Self::PersistedQueryNotFound => "PERSISTED_QUERY_NOT_FOUND",
            Self::TooComplex => "TOO_COMPLEX",
            Self::RateLimited => "RATE_LIMITED",
            Self::Unavailable => "UNAVAILABLE",
            Self::Internal => "INTERNAL",
        }
    }
}

/// Why a field has no value. Resolvers return it; it is converted to a GraphQL error in the response.
///
/// It deliberately does not implement `Display`: the library converts every type with `Display` to an error without a code.
#[derive(Clone, Debug)]
pub enum ApiError {
    /// There is no signed-in caller.
    Unauthenticated,
    /// The caller lacks this permission.
    Forbidden(Permission),
    /// An argument is not valid. The text is for the client.
    BadRequest(String),
    /// This argument is not valid.
    Invalid {
        /// The argument, by its path in the field's arguments: `filter.amount`.
        field: String,
        /// What is wrong with it, for the client.
        message: String,
    },
    /// The client cannot act upon it. It has been logged, and the client receives only this.
    Reported {
        /// INTERNAL or UNAVAILABLE.
        code: ErrorCode,
        /// Identifies the line in the log.
        reference: String,
    },
}

impl From<Fault> for ApiError {
    /// Logs the fault once. All fields that waited for the same result share the reference.
    fn from(fault: Fault) -> Self {
        let reference = Uuid::new_v4().simple().to_string();
        let code = match fault {
            Fault::Unavailable(detail) | Fault::Contended(detail) => {
                tracing::warn!(%reference, %detail, "unavailable");
                ErrorCode::Unavailable
            }
            Fault::Internal(detail) => {
                tracing::error!(%reference, %detail, "internal fault");
                ErrorCode::Internal
            }
        };
        Self::Reported { code, reference }
    }
}

impl From<AccessError> for ApiError {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Forbidden(permission) => Self::Forbidden(permission),
            // No query is refused with this error.
            AccessError::OwnersOnly => Self::BadRequest(error.to_string()),
            // A nullable field returns null before this is reached: see `found`.
            AccessError::NotFound => Self::invalid("accountId", "this account does not exist"),
        }
    }
}

impl From<InvalidInput> for ApiError {
    fn from(InvalidInput { field, message }: InvalidInput) -> Self {
        Self::invalid(field, message)
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Refused(never) => match never {},
            QueryError::Invalid(invalid) => invalid.into(),
            QueryError::Access(error) => error.into(),
            QueryError::Fault(fault) => fault.into(),
        }
    }
}

impl From<ApiError> for Error {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::Unauthenticated => coded(ErrorCode::Unauthenticated, "sign in to use this field"),
            ApiError::Forbidden(permission) => coded(
                ErrorCode::Forbidden,
                format!("this needs the permission {}", permission.name()),
            ),
            ApiError::BadRequest(message) => coded(ErrorCode::BadRequest, message),
            ApiError::Invalid { field, message } => {
                let error = coded(ErrorCode::BadRequest, format!("{field}: {message}"));
                error.extend_with(|_, extensions| extensions.set(FIELD, field))
            }
            ApiError::Reported { code, reference } => {
                let message = match code {
                    ErrorCode::Unavailable => "the service is not available at the moment; try again later",
                    _ => "something went wrong on our side",
                };
                coded(code, message).extend_with(|_, extensions| extensions.set("reference", reference))
            }
        }
    }
}

impl ApiError {
    /// Returns an error about an argument, by its path in the field's arguments.
    pub(super) fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid {
            field: field.into(),
            message: message.into(),
        }
    }

    /// Returns a response for a request that failed before its execution.
    pub fn into_response(self) -> Response {
        refusal(self.into())
    }
}

/// Treats the data of other accounts as absent: a nullable field is null, without an error.
pub(super) fn found<T>(result: Result<T, QueryError>) -> Result<Option<T>, ApiError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(QueryError::Access(AccessError::NotFound)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The value of a nullable field, in the form that keeps an error at this field.
///
/// The library passes the error of a resolver to the nearest nullable parent, even if the field itself is nullable. An error
/// inside the optional value stays at the field: the field is null, and the rest of the page remains.
pub(super) type Nullable<T> = Option<Result<T, ApiError>>;

/// Returns the value of a nullable field.
pub(super) async fn nullable<T>(value: impl Future<Output = Result<Option<T>, ApiError>>) -> Nullable<T> {
    value.await.transpose()
}

/// Returns the value of a field that requires a permission. Without the permission it is null without an error, as the schema
/// says.
pub(super) async fn visible<T>(value: impl Future<Output = Result<Option<T>, ApiError>>) -> Nullable<T> {
    match value.await {
        Err(ApiError::Forbidden(_)) => None,
        other => other.transpose(),
    }
}

/// The key of `extensions` that names the argument.
const FIELD: &str = "field";

fn coded(code: ErrorCode, message: impl Into<String>) -> Error {
    Error::new(message).extend_with(|_, extensions| extensions.set("code", code.as_str()))
}

/// Returns a response for a request that never reaches the schema.
pub fn refused_request(code: ErrorCode, message: impl Into<String>) -> Response {
    refusal(coded(code, message))
}

/// Returns a response for a request whose argument or variable `field` is not valid.
pub(super) fn refused_argument(field: &str, message: impl Into<String>) -> Response {
    let error = coded(ErrorCode::BadRequest, message);
    refusal(error.extend_with(|_, extensions| extensions.set(FIELD, field)))
}

/// Returns a response for an operation that costs more than one operation may.
pub(super) fn too_costly(cost: u64, budget: u64) -> Response {
    let message = format!("the operation costs {cost}, but at most {budget} is allowed: request fewer items or fields");
    let error = coded(ErrorCode::TooComplex, message);
    refusal(error.extend_with(|_, extensions| {
        extensions.set("cost", cost);
        extensions.set("budget", budget);
    }))
}

/// Returns a response for a caller that has exceeded its rate limit.
pub fn rate_limited(retry_after_seconds: u64) -> Response {
    let message = format!("too many requests: try again in {retry_after_seconds} s");
    let error = coded(ErrorCode::RateLimited, message);
    refusal(error.extend_with(|_, extensions| extensions.set(RETRY_AFTER, retry_after_seconds)))
}

const RETRY_AFTER: &str = "retryAfterSeconds";

/// Returns the number of seconds after which the request can be retried, if the error contains it.
pub fn retry_after_seconds(error: &ServerError) -> Option<u64> {
    match error.extensions.as_ref()?.get(RETRY_AFTER)? {
        async_graphql::Value::Number(seconds) => seconds.as_u64(),
        _ => None,
    }
}

fn refusal(error: Error) -> Response {
    let mut error = error.into_server_error(async_graphql::Pos::default());
    error.locations.clear();
    error.message = presentable(&error.message);
    Response::from_errors(vec![error])
}

/// Returns the code of an error.
pub fn code_of(error: &ServerError) -> Option<&str> {
    match error.extensions.as_ref()?.get("code")? {
        async_graphql::Value::String(code) => Some(code),
        _ => None,
    }
}

/// The longest message of an error, in characters. The library quotes the request, however long it is.
const LONGEST_MESSAGE: usize = 400;

/// The maximum number of errors for a request that was not executed: every word of a document can be wrong.
const MOST_ERRORS: usize = 20;

/// Adds a code and a helpful message to the library's own errors, and shortens what quotes the request.
pub(super) fn tidy(response: &mut Response) {
    if response.data == async_graphql::Value::Null && response.errors.iter().all(|error| error.path.is_empty()) {
        response.errors.truncate(MOST_ERRORS);
    }
    for error in &mut response.errors {
        if code_of(error).is_some() {
            continue;
        }
        let argument = argument_of(&error.message);
        error.message = helpful(&error.message);
        let extensions = error.extensions.get_or_insert_default();
        extensions.set("code", ErrorCode::BadRequest.as_str());
        if let Some(argument) = argument {
            extensions.set(FIELD, argument);
        }
    }
}

/// Returns the argument that a message of the library is about.
fn argument_of(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("Invalid value for argument \"")?;
    let (argument, _) = rest.split_once('"')?;
    Some(argument.to_owned())
}

/// Returns the message without control characters, with the expected form added.
fn helpful(message: &str) -> String {
    let expected = message
        .rsplit_once("expected type \"")
        .and_then(|(_, rest)| rest.strip_suffix('"'))
        .and_then(scalars::expected_form);
    let message = presentable(message);
    match expected {
        Some(expected) => format!("{message}: {expected}"),
        None => message,
    }
}

/// Returns the message without control characters, shortened.
fn presentable(message: &str) -> String {
    let chars = message.chars().take(LONGEST_MESSAGE);
    chars.map(|char| if char.is_control() { ' ' } else { char }).collect()
}
