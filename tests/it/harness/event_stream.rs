//! A client of GraphQL over Server-Sent Events.

use std::time::Duration;

use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::Client;

/// Longer than any expected event takes.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct EventStream {
    response: reqwest::Response,
    buffer: String,
}

/// A part of a stream.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum StreamEvent {
    /// A result, and the id of its event.
    Next(Value, Option<String>),
    /// The operation has ended.
    Complete,
    /// A comment without content.
    Comment,
}

impl EventStream {
    /// Requests an operation by POST. Returns the status if it is not a success.
    pub(crate) async fn open(client: &Client, query: &str, variables: Value) -> Result<Self, StatusCode> {
        let body = json!({"query": query, "variables": variables});
        Self::of(client.post("/graphql").json(&body)).await
    }

    /// Opens the response to a request as a stream.
    pub(crate) async fn of(request: RequestBuilder) -> Result<Self, StatusCode> {
        let response = request
            .header("accept", "text/event-stream")
            .send()
            .await
            .expect("an answer");
        if !response.status().is_success() {
            return Err(response.status());
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Ok(Self {
            response,
            buffer: String::new(),
        })
    }

    /// Returns the next part, including comments; `None` at the end.
    pub(crate) async fn any(&mut self) -> Option<StreamEvent> {
        loop {
            if let Some((event, rest)) = self.buffer.split_once("\n\n") {
                let (event, rest) = (parse(event), rest.to_owned());
                self.buffer = rest;
                return Some(event);
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk())
                .await
                .expect("something comes");
            let chunk = chunk.ok()??;
            self.buffer
                .push_str(std::str::from_utf8(&chunk).expect("events come whole"));
        }
    }

    /// Returns the next part without comments; `None` at the end.
    pub(crate) async fn event(&mut self) -> Option<StreamEvent> {
        loop {
            match self.any().await {
                Some(StreamEvent::Comment) => {}
                event => return event,
            }
        }
    }

    /// Returns the next result and its id.
    pub(crate) async fn next(&mut self) -> (Value, Option<String>) {
        match self.event().await {
            Some(StreamEvent::Next(result, id)) => (result, id),
            event => panic!("a result, not {event:?}"),
        }
    }
}

fn parse(event: &str) -> StreamEvent {
    let field = |name: &str| {
        let mut lines = event.lines().filter_map(|line| line.split_once(": "));
        lines.find_map(|(field, value)| (field == name).then(|| value.to_owned()))
    };
    match field("event").as_deref() {
        Some("next") => {
            let data = field("data").expect("data");
            StreamEvent::Next(serde_json::from_str(&data).expect("JSON"), field("id"))
        }
        Some("complete") => {
            assert_eq!(field("data").as_deref(), Some(""), "browsers want it");
            StreamEvent::Complete
        }
        _ if event.starts_with(':') => StreamEvent::Comment,
        _ => panic!("no event: {event}"),
    }
}
