//! Requests have an id, which is in the response and in every log line of the request.

use std::process::Stdio;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::ask;
use crate::harness::{Client, TestApp};

#[tokio::test]
async fn every_answer_has_an_id_and_errors_say_it() {
    let app = TestApp::start().await;
    let client = &app.team.owner.client;
    let (_, headers, body) = ask(client, "{ viewer { kind } }", json!({})).await;
    assert!(!headers["x-request-id"].is_empty() && body["extensions"].get("requestId").is_none());
    for query in ["{", "{ nothing }", "subscription { a }"] {
        let (_, headers, body) = ask(client, query, json!({})).await;
        let id = headers["x-request-id"].to_str().expect("text");
        assert_eq!(body["extensions"]["requestId"], id, "{body}");
    }
    for path in ["/health/live", "/nothing", "/exports/credit-log"] {
        let response = client.get(path).send().await.expect("an answer");
        assert!(response.headers().contains_key("x-request-id"), "{path}");
    }
}

#[tokio::test]
async fn an_id_of_the_clients_own_is_kept_if_it_is_fit_for_a_log() {
    let app = TestApp::start().await;
    let long = "x".repeat(65);
    for (given, is_kept) in [
        ("0f8fad5b-d9cb-469f-a165-70867728950e", true),
        ("my.request_7", true),
        ("", false),
        (&*long, false),
        ("a b", false),
        ("a\"} {\"level\":\"ERROR\"", false),
    ] {
        let response = app.anonymous().get("/health/live").header("x-request-id", given).send();
        let response = response.await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["x-request-id"] == given, is_kept, "{given}");
    }
}

#[tokio::test]
async fn a_line_of_the_log_tells_what_was_asked_and_no_secret() {
    let home = tempfile::tempdir().expect("a directory");
    let mut server = Command::new(env!("CARGO_BIN_EXE_ledgerbell"))
        .args(["demo", "--json", "--listen", "127.0.0.1:0", "--log-format", "json"])
        .args(["--log-level", "info", "--data-dir"])
        .arg(home.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the server starts");
    let mut lines = BufReader::new(server.stdout.take().expect("its output")).lines();
    let ready = lines.next_line().await.expect("readable").expect("a line");
    let ready: Value = serde_json::from_str(&ready).expect("JSON");
    let text = |name: &str| ready[name].as_str().expect("text").to_owned();
    let client = Client::new(text("url").trim_end_matches('/'), Some(text("ownerToken")));
    let query = "query Named($id: ID) { account(id: $id) { name } }";
    let request = client.post("/graphql").header("x-request-id", "the-one");
    let sent = request
        .json(&json!({ "query": query, "variables": { "id": "private" } }))
        .send();
    assert_eq!(sent.await.expect("an answer").status(), StatusCode::OK);

    let mut log = BufReader::new(server.stderr.take().expect("its log")).lines();
    let line = loop {
        let line = log.next_line().await.expect("readable").expect("the line comes");
        assert!(
            !line.contains(&text("ownerToken")) && !line.contains("private"),
            "{line}"
        );
        if line.contains("the-one") && line.contains("answered") {
            break line;
        }
    };
    let line: Value = serde_json::from_str(&line).expect("JSON");
    let span = &line["span"];
    assert_eq!(
        (&line["fields"]["status"], &span["method"]),
        (&json!(200), &json!("POST")),
        "{line}"
    );
    assert!(line["fields"]["elapsed_ms"].is_u64(), "{line}");
    let expected = json!(["/graphql", "Named", "query", 2]);
    assert_eq!(
        json!([span["path"], span["operation"], span["kind"], span["cost"]]),
        expected,
        "{line}"
    );
    // A refused credential is logged with the reason, without the credential itself.
    let (head, signature) = text("ownerToken")
        .rsplit_once('.')
        .map(|(head, signature)| (head.to_owned(), signature.to_owned()))
        .expect("a JWT");
    let forged = format!("{head}.{}", signature.chars().rev().collect::<String>());
    let refused = client.with_credential(&forged).query(query, json!({})).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    loop {
        let line = log.next_line().await.expect("readable").expect("the line comes");
        assert!(!line.contains(&forged), "{line}");
        if line.contains("a sign-in was refused") {
            assert!(line.contains("is not signed with the secret"), "{line}");
            break;
        }
    }
}
