//! Errors at the top of a response: what a request got wrong, and what went wrong with us.
//!
//! Every error that leaves carries a code of a closed list. What nobody out there can act upon is logged here, once, under a
//! reference that the client is shown instead of any detail.

use async_graphql::{Error, ErrorExtensions, Response, ServerError};
use uuid::Uuid;

use super::scalars;
use crate::domain::fault::{Fault, QueryError};
use crate::primitives::actor::{AccessError, Permission};

/// The closed list of `extensions.code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// No credentials, or none that are accepted.
    Unauthenticated,
    /// The caller may not see or do this.
    Forbidden,
    /// The request makes no sense as it stands.
    BadRequest,
    /// No document of this digest is known: send it with its text.
    PersistedQueryNotFound,
    /// The operation asks for more than one request may.
    TooComplex,
    /// Too many requests; later ones may be answered.
    RateLimited,
    /// Something we depend on is gone; trying later may succeed.
    Unavailable,
    /// A bug of ours.
    Internal,
}

impl ErrorCode {
    /// As it stands in `extensions.code`.
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

/// Why a field has no value. Resolvers return it; it becomes a GraphQL error on its way out.
///
/// It has no `Display` on purpose: the library turns whatever has one into an error without a code.
#[derive(Clone, Debug)]
pub enum ApiError {
    /// Nobody is signed in.
    Unauthenticated,
    /// The caller lacks this permission.
    Forbidden(Permission),
    /// An argument makes no sense. The text is for the client.
    BadRequest(String),
    /// This argument makes no sense.
    Invalid {
        /// The argument, by its path in the field's arguments: `filter.amount`.
        field: String,
        /// What is wrong with it, for the client.
        message: String,
    },
    /// Nobody out there can act upon it. It has been logged; this is all that the client is told.
    Reported {
        /// INTERNAL or UNAVAILABLE.
        code: ErrorCode,
        /// Leads to the line in the log.
        reference: String,
    },
}

impl From<Fault> for ApiError {
    /// Logs the fault, once: what is cloned to the many fields that waited for it shares the reference.
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
            // Nothing that is only read is refused so.
            AccessError::OwnersOnly => Self::BadRequest(error.to_string()),
            // Fields that can be empty answer null before it comes to this: see `found`.
            AccessError::NotFound => Self::invalid("accountId", "this account does not exist"),
        }
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Access(error) => error.into(),
            QueryError::Invalid { field, message } => Self::invalid(field, message),
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
    /// An argument that makes no sense, by its path in the field's arguments.
    pub(super) fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid {
            field: field.into(),
            message: message.into(),
        }
    }

    /// A response for a request that failed before it could be executed.
    pub fn into_response(self) -> Response {
        refusal(self.into())
    }
}

/// What is another's does not exist: null without an error, where the field can be empty.
pub(super) fn found<T>(result: Result<T, QueryError>) -> Result<Option<T>, ApiError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(QueryError::Access(AccessError::NotFound)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The value of a field that can be null, in the shape that makes it so.
///
/// The library passes a resolver's own error on to the nearest parent that can be null, however well the field itself could be. An
/// error inside the optional value stays where it is: the field is null, and the page around it is not blanked.
pub(super) async fn nullable<T>(
    value: impl Future<Output = Result<Option<T>, ApiError>>,
) -> Option<Result<T, ApiError>> {
    value.await.transpose()
}

/// The value of a field that only some may see: null without an error for those who may not, as the schema says of such fields.
pub(super) async fn visible<T>(
    value: impl Future<Output = Result<Option<T>, ApiError>>,
) -> Option<Result<T, ApiError>> {
    match value.await {
        Err(ApiError::Forbidden(_)) => None,
        other => other.transpose(),
    }
}

/// Where an error names the argument that it is about.
const FIELD: &str = "field";

fn coded(code: ErrorCode, message: impl Into<String>) -> Error {
    Error::new(message).extend_with(|_, extensions| extensions.set("code", code.as_str()))
}

/// A response for a request that never reaches the schema.
pub fn refused_request(code: ErrorCode, message: impl Into<String>) -> Response {
    refusal(coded(code, message))
}

/// A response for a request whose argument or variable `field` is not what it must be.
pub(super) fn refused_argument(field: &str, message: impl Into<String>) -> Response {
    let error = coded(ErrorCode::BadRequest, message);
    refusal(error.extend_with(|_, extensions| extensions.set(FIELD, field)))
}

/// A response for an operation that costs more than one may.
pub(super) fn too_costly(cost: u64, budget: u64) -> Response {
    let message =
        format!("the operation costs {cost}, and one may cost {budget} at most: ask for fewer items or fields");
    let error = coded(ErrorCode::TooComplex, message);
    refusal(error.extend_with(|_, extensions| {
        extensions.set("cost", cost);
        extensions.set("budget", budget);
    }))
}

/// A response for a caller who has asked for too much of late.
pub fn rate_limited(retry_after_seconds: u64) -> Response {
    let message = format!("too many requests: try again in {retry_after_seconds} s");
    let error = coded(ErrorCode::RateLimited, message);
    refusal(error.extend_with(|_, extensions| extensions.set(RETRY_AFTER, retry_after_seconds)))
}

const RETRY_AFTER: &str = "retryAfterSeconds";

/// When the request may be sent again, in seconds, where the error says so.
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

/// The code that an error carries.
pub fn code_of(error: &ServerError) -> Option<&str> {
    match error.extensions.as_ref()?.get("code")? {
        async_graphql::Value::String(code) => Some(code),
        _ => None,
    }
}

/// Errors longer than this are cut: the library quotes what the client sent, however long that is.
const LONGEST_MESSAGE: usize = 400;

/// Errors of one request at the most that was never executed: a document can be wrong in every word of it.
const MOST_ERRORS: usize = 20;

/// Gives the library's own errors a code and a message that helps, and cuts what quotes the request.
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

/// The argument that a message of the library is about.
fn argument_of(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("Invalid value for argument \"")?;
    let (argument, _) = rest.split_once('"')?;
    Some(argument.to_owned())
}

/// The message, presentable, with what was expected.
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

/// The message without control characters, and cut.
fn presentable(message: &str) -> String {
    let chars = message.chars().take(LONGEST_MESSAGE);
    chars.map(|char| if char.is_control() { ' ' } else { char }).collect()
}
