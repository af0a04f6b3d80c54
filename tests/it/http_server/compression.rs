//! Responses are compressed where the client accepts it and it is worth it.

use std::io::Read;

use reqwest::RequestBuilder;
use reqwest::header::HeaderMap;
use serde_json::json;

use crate::harness::{EventStream, TestApp};

const SCHEMA: &str = "{ __schema { types { name description fields { name description } } } }";

async fn received(request: RequestBuilder) -> (HeaderMap, Vec<u8>) {
    let response = request.send().await.expect("a response");
    assert!(response.status().is_success(), "{}", response.status());
    let headers = response.headers().clone();
    (headers, response.bytes().await.expect("a body").to_vec())
}

fn unpacked(packed: &[u8]) -> String {
    let mut text = String::new();
    let mut unpacker = flate2::read::GzDecoder::new(packed);
    unpacker.read_to_string(&mut text).expect("gzip");
    text
}

#[tokio::test]
async fn a_long_response_is_compressed_for_clients_that_accept_gzip() {
    let app = TestApp::start().await;
    let client = &app.team.owner.client;
    let ask = |query: &str| client.post("/graphql").json(&json!({ "query": query }));
    let (headers, plain) = received(ask(SCHEMA)).await;
    assert!(!headers.contains_key("content-encoding") && plain.len() > 100_000);
    let (headers, packed) = received(ask(SCHEMA).header("accept-encoding", "br, gzip;q=0.5")).await;
    assert_eq!(headers["content-encoding"], "gzip");
    assert!(
        headers["vary"].to_str().expect("text").contains("accept-encoding"),
        "{headers:?}"
    );
    assert!(packed.len() * 3 < plain.len(), "{} of {}", packed.len(), plain.len());
    // Only what the caller has left differs.
    let data = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON")["data"].take();
    assert_eq!(data(&unpacked(&packed)), data(&String::from_utf8(plain).expect("text")));
    for (query, accepted) in [(SCHEMA, "gzip;q=0"), (SCHEMA, "br"), ("{ viewer { kind } }", "gzip")] {
        let (headers, body) = received(ask(query).header("accept-encoding", accepted)).await;
        assert!(
            !headers.contains_key("content-encoding") && body.starts_with(b"{"),
            "{accepted}"
        );
    }
}

#[tokio::test]
async fn a_file_is_compressed_while_it_is_made_and_an_event_stream_never() {
    let app = TestApp::start().await;
    let client = &app.team.owner.client;
    app.top_up(40).await;
    let link = client.query("{ account { creditLogExport { url } } }", json!({})).await;
    let url = link
        .at("/account/creditLogExport/url")
        .as_str()
        .expect("a link")
        .to_owned();
    let (_, plain) = received(app.anonymous().get(&url)).await;
    let (headers, packed) = received(app.anonymous().get(&url).header("accept-encoding", "gzip")).await;
    assert_eq!(headers["content-encoding"], "gzip");
    assert_eq!(unpacked(&packed), String::from_utf8(plain).expect("text"));
    let body = json!({"query": "subscription { creditEntryPosted { signal entry { sequence } } }"});
    let request = client.post("/graphql").json(&body).header("accept-encoding", "gzip");
    let mut stream = EventStream::of(request).await.expect("a stream");
    assert_eq!(
        stream.next().await.0["data"]["creditEntryPosted"]["signal"],
        "CAUGHT_UP"
    );
}
