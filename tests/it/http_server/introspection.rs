//! Who may query the schema itself and how often, and that cached answers are correct.

use reqwest::StatusCode;
use reqwest::header::{CONTENT_LENGTH, RETRY_AFTER};
use serde_json::{Value, json};

use super::{ask, code, send};
use crate::harness::{Socket, TestApp, read_document};

#[tokio::test]
async fn anonymous_introspection_is_refused_after_a_few_times() {
    let app = TestApp::start_with(&[("limits.anonymous_rate", "200")]).await;
    let document = read_document("introspection");
    let mut answered = 0;
    let (headers, body) = loop {
        let (status, headers, body) = ask(&app.anonymous(), &document, json!({})).await;
        if status != StatusCode::OK {
            assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
            break (headers, body);
        }
        answered += 1;
        assert!(answered < 20, "never refused");
    };
    assert!(answered >= 2, "tools may ask now and then, not {answered} times");
    assert_eq!(code(&body), "RATE_LIMITED");
    assert!(headers.contains_key(RETRY_AFTER));
    let (status, _, _) = ask(&app.team.owner.client, &document, json!({})).await;
    assert_eq!(status, StatusCode::OK, "who is signed in has an allowance of their own");
}

#[tokio::test]
async fn a_remembered_answer_is_that_of_its_document_operation_and_variables() {
    let app = TestApp::start().await;
    let document =
        "query A($name: String!) { __type(name: $name) { name } } query B { __schema { queryType { name } } }";
    let asked = async |operation: &str, name: &str| {
        let body = json!({ "query": document, "operationName": operation, "variables": { "name": name } });
        let (status, headers, answer) = send(&app.anonymous(), &body).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let length: usize = headers[CONTENT_LENGTH]
            .to_str()
            .expect("text")
            .parse()
            .expect("a number");
        assert!(length > 0);
        assert_eq!(answer["extensions"]["cost"]["budget"], 20_000, "{answer}");
        answer["data"].clone()
    };
    for _ in 0..2 {
        assert_eq!(asked("A", "Money").await, json!({ "__type": { "name": "Money" } }));
        assert_eq!(asked("A", "Member").await, json!({ "__type": { "name": "Member" } }));
        assert_eq!(asked("A", "Nothing").await, json!({ "__type": null }));
        assert_eq!(
            asked("B", "Money").await,
            json!({ "__schema": { "queryType": { "name": "Query" } } })
        );
    }
    let mut socket = Socket::ready(app.base(), app.team.owner.client.credential().expect("a token")).await;
    let query = "query A($name: String!) { __type(name: $name) { name } }";
    for name in ["Money", "Member", "Money"] {
        socket.subscribe(name, query, json!({ "name": name })).await;
        assert_eq!(socket.next(name).await["data"], json!({ "__type": { "name": name } }));
        assert_eq!(socket.message().await["type"], "complete");
    }
}

#[tokio::test]
async fn the_schema_is_told_to_those_whom_a_setting_names() {
    let query = "{ __schema { queryType { name } } }";
    let answers = async |setting: &str| {
        let app = TestApp::start_with(&[("documents.introspection", setting)]).await;
        let (anonymous, _, refused) = ask(&app.anonymous(), query, json!({})).await;
        let (signed_in, _, body) = ask(&app.team.owner.client, query, json!({})).await;
        let codes: Vec<String> = [refused, body]
            .iter()
            .map(|body: &Value| code(body).to_owned())
            .collect();
        (anonymous.as_u16(), signed_in.as_u16(), codes)
    };
    // Beside other fields it is the same schema.
    for mixed in [
        "{ viewer { kind } __schema { queryType { name } } }",
        "{ viewer { kind } ...F } fragment F on Query { __type(name: \"Money\") { name } }",
    ] {
        let app = TestApp::start_with(&[("documents.introspection", "off")]).await;
        let (status, _, body) = ask(&app.team.owner.client, mixed, json!({})).await;
        assert_eq!((status.as_u16(), code(&body)), (400, "BAD_REQUEST"), "{body}");
        assert!(body["data"].is_null(), "{body}");
    }
    let codes = |anonymous: &str, signed_in: &str| vec![anonymous.to_owned(), signed_in.to_owned()];
    assert_eq!(answers("anyone").await, (200, 200, codes("", "")));
    assert_eq!(answers("callers").await, (401, 200, codes("UNAUTHENTICATED", "")));
    assert_eq!(
        answers("off").await,
        (401, 400, codes("UNAUTHENTICATED", "BAD_REQUEST"))
    );
}
