//! The parameters of a request, from a body of JSON or from a URL.
//!
//! Refused before anything is parsed: bodies that are too large, of another type, or several operations in one.

use std::collections::HashMap;
use std::time::Duration;

use async_graphql::Variables;
use axum::body::Body;
use axum::http::{HeaderMap, header};
use futures_util::StreamExt;
use serde_json::{Map, Value};

use super::answer::Rejection;
use crate::graphql::{Parameters, document_id_of};

/// The largest body that is read, in bytes.
const LARGEST_BODY: usize = 64 * 1024;

/// No request, for this reason.
fn malformed(message: impl Into<String>) -> Rejection {
    Rejection::Malformed(message.into())
}

/// The parameters in a body of JSON, which must have come `within` this time.
pub(super) async fn read(headers: &HeaderMap, body: Body, within: Duration) -> Result<Parameters, Rejection> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_packed = headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|given| given != "identity");
    if is_packed || !content_type.is_some_and(is_json) {
        return Err(Rejection::NotJson);
    }
    // Giving up a body half-way harms nothing: nothing has begun.
    let read = tokio::time::timeout(within, bounded(body)).await;
    let bytes = read.map_err(|_| Rejection::TooSlow)??;
    if bytes.windows(NUL.len()).any(|text| text == NUL.as_bytes()) {
        return Err(nul());
    }
    let json = serde_json::from_slice(&bytes).map_err(|error| {
        // Where, but not what: the text itself is the client's.
        let (line, column) = (error.line(), error.column());
        malformed(format!("the body is not JSON (line {line}, column {column})"))
    })?;
    from_json(json)
}

/// How JSON and GraphQL write the character 0, which Postgres cannot keep: no text that anybody means has it.
pub(super) const NUL: &str = "\\u0000";

fn nul() -> Rejection {
    malformed("texts must not contain the character U+0000")
}

/// The body, read no further than its bound, whatever its length was said to be.
async fn bounded(body: Body) -> Result<Vec<u8>, Rejection> {
    let mut stream = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| malformed("the body could not be read"))?;
        if bytes.len() + chunk.len() > LARGEST_BODY {
            return Err(Rejection::TooLarge);
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

/// The parameters in a JSON value.
pub(super) fn from_json(json: Value) -> Result<Parameters, Rejection> {
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
    let document_id = match text(&mut fields, "documentId")? {
        None if query.is_none() => persisted_query(&extensions),
        document_id => document_id,
    };
    Ok(Parameters {
        query,
        document_id,
        operation_name,
        variables: Variables::from_json(Value::Object(variables)),
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

/// How clients of Apollo ask for a document that they do not send.
fn persisted_query(extensions: &Map<String, Value>) -> Option<String> {
    let sha256 = extensions.get("persistedQuery")?.get("sha256Hash")?.as_str()?;
    Some(document_id_of(sha256))
}

/// The parameters of a URL, where variables are JSON in a text.
pub(super) fn from_url(mut parameters: HashMap<String, String>) -> Result<Parameters, Rejection> {
    if parameters
        .values()
        .any(|value| value.contains(NUL) || value.contains('\0'))
    {
        return Err(nul());
    }
    let mut fields = Map::new();
    for name in ["query", "operationName", "documentId"] {
        if let Some(value) = parameters.remove(name) {
            fields.insert(name.to_owned(), Value::String(value));
        }
    }
    for name in ["variables", "extensions"] {
        if let Some(value) = parameters.remove(name).filter(|value| !value.is_empty()) {
            let value = serde_json::from_str(&value).map_err(|_| malformed(format!("{name} must be JSON")))?;
            fields.insert(name.to_owned(), value);
        }
    }
    from_json(Value::Object(fields))
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
