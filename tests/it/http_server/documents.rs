//! Trusted documents: operations that are requested by id.

use std::io::Write as _;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::{NEW, ask, code, send};
use crate::harness::{TestApp, TestDatabase, load_settings};

const VIEWER: &str = "query Viewer { viewer { kind } }";
const VIEWER_SHA_256: &str = "b93ed47646cc482db9de807c814e9c49ba56d3c1395b820ecce4f306d7224c6b";

fn manifest(documents: &Value) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a file");
    write!(file, "{documents}").expect("written");
    file
}

fn path(file: &NamedTempFile) -> String {
    file.path().display().to_string()
}

#[tokio::test]
async fn a_trusted_document_is_run_by_its_id_or_its_digest() {
    let file = manifest(&json!({ "viewer.1": VIEWER }));
    let app = TestApp::start_with(&[("documents.trusted", &path(&file))]).await;
    let client = &app.team.owner.client;
    let digest = format!("sha256:{VIEWER_SHA_256}");
    for body in [
        json!({ "documentId": "viewer.1" }),
        json!({ "documentId": digest }),
        json!({ "documentId": "viewer.1", "operationName": "Viewer", "variables": {} }),
        json!({ "extensions": { "persistedQuery": { "version": 1, "sha256Hash": VIEWER_SHA_256 } } }),
        json!({ "query": VIEWER }),
        json!({ "query": "{ viewer { kind } }" }),
    ] {
        let (status, _, answer) = send(client, &body).await;
        assert_eq!(
            (status, &answer["data"]["viewer"]["kind"]),
            (StatusCode::OK, &json!("MEMBER")),
            "{body}"
        );
    }
    let by_get = client.get("/graphql?documentId=viewer.1").header("accept", NEW).send();
    assert_eq!(by_get.await.expect("an answer").status(), StatusCode::OK);
    for body in [
        json!({ "documentId": "viewer.2" }),
        json!({ "documentId": "sha256:00" }),
        json!({ "documentId": "viewer.1", "query": VIEWER }),
        json!({ "documentId": "viewer.1", "operationName": "Other" }),
        json!({}),
    ] {
        let (status, _, answer) = send(client, &body).await;
        assert_eq!(
            (status, code(&answer)),
            (StatusCode::BAD_REQUEST, "BAD_REQUEST"),
            "{body}"
        );
    }
}

#[tokio::test]
async fn nothing_else_is_run_where_only_trusted_documents_are() {
    let file = manifest(&json!({ "viewer.1": VIEWER }));
    let settings = [("documents.trusted", &*path(&file)), ("documents.only_trusted", "true")];
    let app = TestApp::start_with(&settings).await;
    let client = &app.team.owner.client;
    assert_eq!(
        send(client, &json!({ "documentId": "viewer.1" })).await.0,
        StatusCode::OK
    );
    // A text that equals a trusted document is that document.
    assert_eq!(ask(client, VIEWER, json!({})).await.0, StatusCode::OK);
    for query in [
        "{ viewer { kind } }",
        "{ __schema { queryType { name } } }",
        "{ __typename }",
        "{",
    ] {
        for client in [client, &app.anonymous(), &app.platform] {
            let before = app.app().database().statements();
            let (status, _, answer) = ask(client, query, json!({})).await;
            assert_eq!(
                (status, code(&answer)),
                (StatusCode::BAD_REQUEST, "BAD_REQUEST"),
                "{query}"
            );
            assert!(
                answer["errors"][0]["message"]
                    .as_str()
                    .expect("text")
                    .contains("documentId"),
                "{query}"
            );
            assert_eq!(app.app().database().statements(), before);
        }
    }
}

#[tokio::test]
async fn a_manifest_that_cannot_be_executed_is_told_at_the_start() {
    let database = TestDatabase::make().await;
    let bomb = format!("{{ viewer {{ {} }} }}", "kind ".repeat(2_000));
    for (documents, expected) in [
        (json!(["{ viewer { kind } }"]), "a JSON object"),
        (json!({ "a": 5 }), "a JSON object"),
        (json!({ "broken": "{ viewer {" }), "\"broken\""),
        (json!({ "large": bomb }), "too many fields"),
        (json!({ "sha256:00": VIEWER }), "does not have the digest"),
    ] {
        let file = manifest(&documents);
        let settings = load_settings(&database, &[("documents.trusted", &path(&file))]);
        let opened = ledgerbell::app::open_database(&settings)
            .await
            .expect("the database opens");
        let clock = ledgerbell::primitives::clock::Clock::system();
        let Err(error) = ledgerbell::app::App::start(opened, &settings, clock).await else {
            panic!("started with {documents}");
        };
        assert!(error.to_string().contains(expected), "{error}");
    }
}
