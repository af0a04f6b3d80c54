//! Pages of other sites can call from a browser only if the operator has listed their origin.

use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::harness::{Client, Socket, TestApp};

const LISTED: &str = "https://app.example.com";

async fn preflight(client: &Client, origin: &str, method: &str, headers: &str) -> (StatusCode, HeaderMap) {
    let request = client.request(Method::OPTIONS, "/graphql").header("origin", origin);
    let request = request
        .header("access-control-request-method", method)
        .header("access-control-request-headers", headers);
    let response = request.send().await.expect("an answer");
    (response.status(), response.headers().clone())
}

fn text<'a>(headers: &'a HeaderMap, name: &'static str) -> &'a str {
    let value = headers.get(HeaderName::from_static(name));
    value.map_or("", |value| value.to_str().expect("text"))
}

#[tokio::test]
async fn listed_origins_may_call_and_foreign_ones_are_told_nothing() {
    let app = TestApp::start_with(&[("http.cors_origins", "https://app.example.com,http://localhost:5173")]).await;
    let client = &app.team.owner.client;
    for origin in [LISTED, "http://localhost:5173"] {
        let (status, headers) = preflight(client, origin, "POST", "authorization,content-type,accept").await;
        assert_eq!(
            (status, text(&headers, "access-control-allow-origin")),
            (StatusCode::OK, origin)
        );
        assert!(text(&headers, "access-control-allow-methods").contains("POST"));
        for name in ["authorization", "content-type", "accept", "x-request-id"] {
            assert!(text(&headers, "access-control-allow-headers").contains(name), "{name}");
        }
        assert!(text(&headers, "access-control-allow-credentials").is_empty());
        let asked = client.post("/graphql").header("origin", origin);
        let response = asked
            .json(&json!({ "query": "{ viewer { kind } }" }))
            .send()
            .await
            .expect("an answer");
        assert_eq!(text(response.headers(), "access-control-allow-origin"), origin);
        let exposed = text(response.headers(), "access-control-expose-headers");
        assert!(
            exposed.contains("x-request-id") && exposed.contains("retry-after"),
            "{exposed}"
        );
    }
    for origin in [
        "https://evil.example",
        "https://app.example.com.evil.example",
        "http://app.example.com",
        "null",
    ] {
        let (_, headers) = preflight(client, origin, "POST", "authorization").await;
        assert!(text(&headers, "access-control-allow-origin").is_empty(), "{origin}");
        let asked = client.post("/graphql").header("origin", origin);
        let response = asked
            .json(&json!({ "query": "{ viewer { kind } }" }))
            .send()
            .await
            .expect("an answer");
        assert!(
            text(response.headers(), "access-control-allow-origin").is_empty(),
            "{origin}"
        );
    }
}

/// The headers of GraphQL clients and tracing libraries, and those that the operator adds. Browsers may cache this for two
/// hours.
#[tokio::test]
async fn headers_of_usual_clients_and_those_of_the_operator_may_be_sent() {
    let settings = [
        ("http.cors_origins", "capacitor://localhost, https://*.shop.example"),
        ("http.cors_headers", "x-tenant"),
    ];
    let app = TestApp::start_with(&settings).await;
    let client = &app.team.owner.client;
    let headers = "authorization,content-type,sentry-trace,baggage,traceparent,tracestate,apollographql-client-name,\
                   apollographql-client-version,apollo-require-preflight,last-event-id,accept-language,x-tenant";
    for origin in ["capacitor://localhost", "https://berlin.shop.example"] {
        let (status, answer) = preflight(client, origin, "POST", headers).await;
        assert_eq!(
            (status, text(&answer, "access-control-allow-origin")),
            (StatusCode::OK, origin)
        );
        let allowed: Vec<&str> = text(&answer, "access-control-allow-headers")
            .split(',')
            .map(str::trim)
            .collect();
        for header in headers.split(',') {
            assert!(allowed.contains(&header), "{header} is among {allowed:?}");
        }
        assert!(!allowed.contains(&"x-forwarded-for"));
        assert_eq!(text(&answer, "access-control-max-age"), "7200");
    }
    let (_, answer) = preflight(client, "https://shop.example", "POST", "authorization").await;
    assert!(text(&answer, "access-control-allow-origin").is_empty());
}

/// A page of a development server, and its proxy that changes the host but not the origin.
#[tokio::test]
async fn in_development_pages_of_this_machine_may_call_and_connect() {
    let app = TestApp::start().await;
    let client = &app.team.owner.client;
    for origin in ["http://localhost:5173", "http://127.0.0.1:4200"] {
        let (status, answer) = preflight(client, origin, "POST", "authorization,content-type").await;
        assert_eq!(
            (status, text(&answer, "access-control-allow-origin")),
            (StatusCode::OK, origin)
        );
        let headers = [("origin", origin), ("sec-websocket-protocol", "graphql-transport-ws")];
        assert!(Socket::open(app.base(), &headers).await.is_ok(), "{origin}");
    }
    for origin in ["http://localhost.evil.example", "http://10.0.0.7:5173"] {
        let (_, answer) = preflight(client, origin, "POST", "authorization").await;
        assert!(text(&answer, "access-control-allow-origin").is_empty(), "{origin}");
        let headers = [("origin", origin), ("sec-websocket-protocol", "graphql-transport-ws")];
        let refused = Socket::open(app.base(), &headers).await.err().expect("refused");
        assert_eq!(refused.status(), 403, "{origin}");
    }
}

#[tokio::test]
async fn no_origin_is_listed_unless_somebody_lists_it() {
    let app = TestApp::start().await;
    let (_, headers) = preflight(&app.team.owner.client, LISTED, "POST", "authorization").await;
    assert!(text(&headers, "access-control-allow-origin").is_empty());
}
