//! The HTTP server before an operation is executed: its kind, its cost, who pays, and which documents are allowed.

mod addresses;
mod clients;
mod compression;
mod connections;
mod cross_origin;
mod documents;
mod exports;
mod frames;
mod guesses;
mod introspection;
mod limits;
mod log;
mod operations;
mod payment_page;
mod security_headers;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::harness::{Client, TestApp};

/// The media type that strict clients accept, with which the status reports the result.
const NEW: &str = "application/graphql-response+json";

/// Sends a body and returns the whole response.
async fn send(client: &Client, body: &Value) -> (StatusCode, HeaderMap, Value) {
    let request = client.post("/graphql").header("accept", NEW).json(body);
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status(), response.headers().clone());
    (status, headers, response.json().await.expect("JSON"))
}

async fn ask(client: &Client, query: &str, variables: Value) -> (StatusCode, HeaderMap, Value) {
    send(client, &json!({ "query": query, "variables": variables })).await
}

fn code(body: &Value) -> &str {
    body["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
}

/// Checks that a refusal runs no statement, not even that of signing in.
async fn refused_without_a_statement(
    app: &TestApp,
    client: &Client,
    body: &Value,
    status: StatusCode,
    expected: &str,
) -> Value {
    let before = app.app().database().statements();
    let (given, _, answer) = send(client, body).await;
    assert_eq!(
        (given, code(&answer)),
        (status, expected),
        "{body} is answered {answer}"
    );
    assert!(answer.get("data").is_none(), "{answer}");
    assert_eq!(app.app().database().statements(), before, "{body}");
    answer
}
mod web_pages;
