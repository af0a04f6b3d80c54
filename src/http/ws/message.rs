//! The messages of `graphql-transport-ws` in both directions. Messages of clients are parsed strictly.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::graphql::{NUL, altered_number};
use crate::http::parameters::has_nul;

/// The maximum length of an operation's id, in bytes. Clients use numbers or UUIDs.
const LONGEST_ID: usize = 128;

/// A message of a client.
#[derive(Debug, PartialEq)]
pub(super) enum Incoming {
    /// Opens the connection, with an optional credential.
    ConnectionInit(Map<String, Value>),
    /// Checks that the server responds.
    Ping(Option<Value>),
    /// Responds to a ping.
    Pong,
    /// Starts an operation.
    Subscribe {
        /// The client's id of the operation.
        id: String,
        /// The operation, as in a request over HTTP.
        payload: Value,
        /// The path of a variable with a number that parsing changed.
        altered_number: Option<String>,
    },
    /// Ends an operation.
    Complete(String),
}

#[derive(Deserialize)]
struct Envelope {
    r#type: String,
    #[serde(default)]
    id: Value,
    #[serde(default)]
    payload: Value,
}

impl Incoming {
    /// Parses a message. The error is a text for the client's developer.
    pub(super) fn read(text: &str) -> Result<Self, Cow<'static, str>> {
        let envelope: Envelope =
            serde_json::from_str(text).map_err(|_| "a message must be a JSON object with a type")?;
        let Envelope { r#type, id, payload } = envelope;
        if has_nul(&id) || has_nul(&payload) {
            return Err(NUL.into());
        }
        match r#type.as_str() {
            "connection_init" => Ok(Self::ConnectionInit(
                object(payload, "connection_init")?.unwrap_or_default(),
            )),
            "ping" => Ok(Self::Ping(object(payload, "ping")?.map(Value::Object))),
            "pong" => object(payload, "pong").map(|_| Self::Pong),
            "subscribe" => {
                let id = operation_id(id)?;
                match payload {
                    Value::Object(_) => Ok(Self::Subscribe {
                        id,
                        payload,
                        altered_number: altered_number(text, &["payload", "variables"]),
                    }),
                    _ => Err("the payload of subscribe must be an object".into()),
                }
            }
            "complete" => operation_id(id).map(Self::Complete),
            _ => Err("a client cannot send this type of message".into()),
        }
    }
}

fn object(payload: Value, r#type: &str) -> Result<Option<Map<String, Value>>, Cow<'static, str>> {
    match payload {
        Value::Null => Ok(None),
        Value::Object(fields) => Ok(Some(fields)),
        _ => Err(format!("the payload of {type} must be an object").into()),
    }
}

fn operation_id(id: Value) -> Result<String, Cow<'static, str>> {
    match id {
        Value::String(id) if !id.is_empty() && id.len() <= LONGEST_ID => Ok(id),
        _ => Err(format!("id must be a text of 1 to {LONGEST_ID} bytes").into()),
    }
}

/// `connection_ack`: the caller is signed in.
pub(super) fn connection_ack() -> String {
    r#"{"type":"connection_ack"}"#.to_owned()
}

/// The answer to a client's `ping`, with the payload of the ping.
pub(super) fn pong(payload: Option<&Value>) -> String {
    match payload {
        Some(payload) => format!(r#"{{"type":"pong","payload":{payload}}}"#),
        None => r#"{"type":"pong"}"#.to_owned(),
    }
}

/// `next`: a result of an operation. `result` is JSON.
pub(super) fn next(id: &str, result: &str) -> String {
    with_payload("next", id, result)
}

/// `error`: the operation ended with these errors. `errors` is a JSON list.
pub(super) fn error(id: &str, errors: &str) -> String {
    with_payload("error", id, errors)
}

/// `complete`: the operation has no more results.
pub(super) fn complete(id: &str) -> String {
    format!(r#"{{"id":{},"type":"complete"}}"#, quoted(id))
}

fn with_payload(r#type: &str, id: &str, payload: &str) -> String {
    format!(r#"{{"id":{},"type":"{type}","payload":{payload}}}"#, quoted(id))
}

fn quoted(id: &str) -> Value {
    Value::String(id.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn messages_are_read_as_the_protocol_has_them() {
        let read = |text: &str| Incoming::read(text).expect(text);
        assert_eq!(
            read(r#"{"type":"connection_init"}"#),
            Incoming::ConnectionInit(Map::new())
        );
        assert_eq!(
            read(r#"{"type":"connection_init","payload":null}"#),
            Incoming::ConnectionInit(Map::new())
        );
        assert_eq!(
            read(r#"{"type":"ping","payload":{"a":1}}"#),
            Incoming::Ping(Some(json!({"a": 1})))
        );
        assert_eq!(read(r#"{"type":"pong","later":true}"#), Incoming::Pong);
        assert_eq!(
            read(r#"{"type":"complete","id":"1"}"#),
            Incoming::Complete("1".to_owned())
        );
        let payload = json!({"query": "{ a }"});
        assert_eq!(
            read(r#"{"id":"é","type":"subscribe","payload":{"query":"{ a }"}}"#),
            Incoming::Subscribe {
                id: "é".to_owned(),
                payload,
                altered_number: None,
            }
        );
    }

    #[test]
    fn anything_else_is_malformed() {
        let long = format!(r#"{{"type":"complete","id":"{}"}}"#, "x".repeat(LONGEST_ID + 1));
        for text in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"type":1}"#,
            r#"{"type":"connection_ack"}"#,
            r#"{"type":"start","id":"1","payload":{}}"#,
            r#"{"type":"connection_init","payload":"token"}"#,
            r#"{"type":"ping","payload":[]}"#,
            r#"{"type":"subscribe","payload":{"query":"{ a }"}}"#,
            r#"{"type":"subscribe","id":"","payload":{"query":"{ a }"}}"#,
            r#"{"type":"subscribe","id":1,"payload":{"query":"{ a }"}}"#,
            r#"{"type":"subscribe","id":"1"}"#,
            r#"{"type":"subscribe","id":"1","payload":"{ a }"}"#,
            r#"{"type":"complete"}"#,
            r#"{"type":"complete","id":"\u0000"}"#,
            &long,
        ] {
            assert!(Incoming::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ids_are_quoted_in_what_is_sent() {
        let message: Value = serde_json::from_str(&next("a\"\u{1}", r#"{"data":null}"#)).expect("JSON");
        assert_eq!(
            message,
            json!({"id": "a\"\u{1}", "type": "next", "payload": {"data": null}})
        );
        for text in [
            error("1", "[]"),
            complete("1"),
            connection_ack(),
            pong(Some(&json!({}))),
        ] {
            serde_json::from_str::<Value>(&text).expect("JSON");
        }
    }
}
