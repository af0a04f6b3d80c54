//! Reads the parameters of a request from a JSON body or from a URL.
//!
//! Refuses before parsing: bodies that are too large or of another type, and several operations in one request.

use std::collections::HashMap;
use std::time::Duration;

use async_graphql::Variables;
use axum::body::Body;
use axum::http::{HeaderMap, header};
use serde_json::{Map, Value};

use super::answer::Rejection;
use super::body::{self, Unread};
use crate::graphql::{NUL, Parameters, altered_number};

/// The maximum size of a body, in bytes.
const LARGEST_BODY: usize = 64 * 1024;

/// Refuses a request that does not follow the specification, with this reason.
fn malformed(message: impl Into<String>) -> Rejection {
    Rejection::Malformed(message.into())
}

/// Reads the parameters from a JSON body, which must arrive `within` this time.
pub(super) async fn read(headers: &HeaderMap, body: Body, within: Duration) -> Result<Parameters, Rejection> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_packed = headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|given| given != "identity");
    if is_packed || !content_type.is_some_and(is_json) {
        return Err(Rejection::NotJson);
    }
    let bytes = body::read(body, LARGEST_BODY, within).await.map_err(unread)?;
    // RFC 8259 allows readers to ignore the byte-order mark that some editors and clients add.
    let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes);
    let json = serde_json::from_slice(text).map_err(|error| {
        // The error names the position but not the text, because the text is the client's.
        let (line, column) = (error.line(), error.column());
        malformed(format!("the body is not JSON (line {line}, column {column})"))
    })?;
    let text = std::str::from_utf8(text).unwrap_or_default();
    let altered_number = altered_number(text, &["variables"]);
    Ok(Parameters {
        altered_number,
        ..from_json(json)?
    })
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Returns whether a value contains U+0000 in a string, which Postgres cannot store.
pub(super) fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn unread(why: Unread) -> Rejection {
    match why {
        Unread::TooLarge => Rejection::TooLarge,
        Unread::TooSlow => Rejection::TooSlow,
        Unread::Broken => malformed("the body could not be read"),
    }
}

/// Returns whether the type is `application/json`, with UTF-8 as its charset if it names one.
pub(super) fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let is_json = parts
        .next()
        .is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    is_json
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
                let name = value.trim().trim_matches('"');
                ["utf-8", "utf8"].iter().any(|utf_8| name.eq_ignore_ascii_case(utf_8))
            }
            _ => true,
        })
}

/// Reads the parameters from a JSON value.
pub(super) fn from_json(json: Value) -> Result<Parameters, Rejection> {
    if has_nul(&json) {
        return Err(malformed(NUL));
    }
    let mut fields = match json {
        Value::Object(fields) => fields,
        Value::Array(_) => {
            return Err(malformed(
                "send one operation at a time: lists of operations are not accepted",
            ));
        }
        _ => return Err(malformed("the body must be a JSON object")),
    };
    let query = text(&mut fields, "query")?;
    let operation_name = text(&mut fields, "operationName")?;
    let variables = object(&mut fields, "variables")?;
    let extensions = object(&mut fields, "extensions")?;
    Ok(Parameters {
        query,
        document_id: text(&mut fields, "documentId")?,
        persisted_query: persisted_query(&extensions),
        operation_name,
        variables: Variables::from_json(Value::Object(variables)),
        altered_number: None,
    })
}

fn text(fields: &mut Map<String, Value>, name: &str) -> Result<Option<String>, Rejection> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(malformed(format!("{name} must be a string"))),
    }
}

fn object(fields: &mut Map<String, Value>, name: &str) -> Result<Map<String, Value>, Rejection> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(object)) => Ok(object),
        Some(_) => Err(malformed(format!("{name} must be an object"))),
    }
}

/// Returns the digest by which Apollo clients request a document that they do not send.
fn persisted_query(extensions: &Map<String, Value>) -> Option<String> {
    let sha256 = extensions.get("persistedQuery")?.get("sha256Hash")?.as_str()?;
    Some(sha256.to_owned())
}

/// Reads the parameters from a URL, where variables are JSON text.
pub(super) fn from_url(mut parameters: HashMap<String, String>) -> Result<Parameters, Rejection> {
    let (mut fields, mut altered) = (Map::new(), None);
    for name in ["query", "operationName", "documentId"] {
        if let Some(value) = parameters.remove(name) {
            fields.insert(name.to_owned(), Value::String(value));
        }
    }
    for name in ["variables", "extensions"] {
        if let Some(value) = parameters.remove(name).filter(|value| !value.is_empty()) {
            let json = serde_json::from_str(&value).map_err(|_| malformed(format!("{name} must be JSON")))?;
            fields.insert(name.to_owned(), json);
            if name == "variables" {
                altered = altered_number(&value, &[]);
            }
        }
    }
    Ok(Parameters {
        altered_number: altered,
        ..from_json(Value::Object(fields))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_in_utf_8_is_read() {
        for accepted in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json; charset=utf8",
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
    fn one_operation_at_a_time() {
        for body in [
            serde_json::json!([{ "query": "{ __typename }" }]),
            serde_json::json!("{ __typename }"),
            serde_json::json!({ "query": 1 }),
            serde_json::json!({ "documentId": ["a"] }),
            serde_json::json!({ "query": "{ __typename }", "variables": [] }),
            serde_json::json!({ "query": "{ __typename }", "operationName": 1 }),
        ] {
            assert!(
                matches!(from_json(body.clone()), Err(Rejection::Malformed(_))),
                "{body}"
            );
        }
    }
}
