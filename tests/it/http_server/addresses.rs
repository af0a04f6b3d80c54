//! Limits of connections per address, clients behind proxies, and who may still read the health of the server.

use reqwest::StatusCode;
use serde_json::json;

use super::code;
use crate::harness::{Client, EventStream, Raw, Socket, TestApp};

const VIEWER: &str = "{ viewer { kind } }";
const FOLLOW: &str = "subscription { balanceChanged { signal } }";

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")
}

/// Opens a connection that has received a response and stays open.
async fn answered(app: &TestApp) -> Raw {
    let mut raw = Raw::connect(app.base()).await;
    raw.send(get("/health/live")).await.expect("it is read");
    assert_eq!(raw.answer().await.expect("an answer").status, 200);
    raw
}

/// Returns the status of one request on its own connection, which must be closed after it.
async fn once(app: &TestApp, path: &str) -> u16 {
    let mut raw = Raw::connect(app.base()).await;
    raw.send(get(path)).await.expect("it is read");
    let answer = raw.answer().await.expect("an answer");
    if answer.status == 503 {
        assert!(answer.head.contains("retry-after: 1"), "{answer:?}");
    }
    raw.is_hung_up_on().await;
    answer.status
}

#[tokio::test]
async fn an_address_that_fills_its_bound_gets_no_more_and_health_is_answered_all_the_same() {
    let app = TestApp::start_with(&[("http.max_connections_per_address", "3")]).await;
    let mut open = vec![answered(&app).await, answered(&app).await, answered(&app).await];
    for _ in 0..5 {
        assert_eq!(once(&app, "/").await, 503);
        assert_eq!(once(&app, "/health/live").await, 200);
        assert_eq!(once(&app, "/health/ready").await, 200);
    }
    drop(open.pop());
    while Raw::connect(app.base()).await.welcome().await != 200 {}
}

#[tokio::test]
async fn the_reserve_for_health_is_bounded_too() {
    let app = TestApp::start_with(&[("http.max_connections", "1")]).await;
    let _open = answered(&app).await;
    let mut idle = Vec::new();
    for _ in 0..4 {
        idle.push(Raw::connect(app.base()).await);
    }
    let mut fifth = Raw::connect(app.base()).await;
    let answer = fifth.answer().await.expect("an answer, though nothing was asked");
    assert_eq!(answer.status, 503);
    fifth.is_hung_up_on().await;
}

/// Connects as a client behind a proxy does.
async fn by_proxy(app: &TestApp, client: &str) -> Result<Socket, u16> {
    let headers = [
        ("sec-websocket-protocol", "graphql-transport-ws"),
        ("x-forwarded-for", client),
    ];
    let mut socket = Socket::open(app.base(), &headers).await.expect("a socket");
    let owner = app.team.owner.client.credential().expect("a token");
    socket.init(owner).await;
    match socket.frame().await {
        crate::harness::Frame::Message(message) => {
            assert_eq!(message, json!({"type": "connection_ack"}));
            Ok(socket)
        }
        crate::harness::Frame::Close(code, reason) => {
            assert!(reason.contains("of this address"), "{reason}");
            Err(code)
        }
        crate::harness::Frame::Ping => panic!("no ping so soon"),
    }
}

async fn stream_by_proxy(app: &TestApp, client: &str) -> Result<EventStream, StatusCode> {
    let body = json!({ "query": FOLLOW });
    let request = app.team.owner.client.post("/graphql").header("x-forwarded-for", client);
    EventStream::of(request.json(&body)).await
}

#[tokio::test]
async fn what_stays_open_by_way_of_a_trusted_proxy_is_bounded_for_each_client() {
    let settings = [
        ("http.trusted_proxies", "192.0.2.0/24, 127.0.0.1"),
        ("http.max_connections_per_address", "2"),
    ];
    let app = TestApp::start_with(&settings).await;
    // A proxy may have any number of connections: they belong to many clients.
    let mut proxied = Vec::new();
    for _ in 0..5 {
        proxied.push(answered(&app).await);
    }
    let first = by_proxy(&app, "203.0.113.7").await.expect("free");
    let _second = stream_by_proxy(&app, "198.51.100.1, 203.0.113.7").await.expect("free");
    assert_eq!(by_proxy(&app, "203.0.113.7, 192.0.2.4").await.err(), Some(1013));
    assert_eq!(
        stream_by_proxy(&app, "203.0.113.7").await.err(),
        Some(StatusCode::TOO_MANY_REQUESTS)
    );
    let _other = by_proxy(&app, "203.0.113.8")
        .await
        .expect("another address has its own");
    // All addresses of one IPv6 network count as one.
    let _third = by_proxy(&app, "2001:db8:1:2::1").await.expect("free");
    let _fourth = by_proxy(&app, "[2001:db8:1:2::2]:4711").await.expect("free");
    assert_eq!(by_proxy(&app, "2001:db8:1:2:3::3").await.err(), Some(1013));
    drop(first);
    while by_proxy(&app, "203.0.113.7").await.is_err() {}
}

/// Returns how often an anonymous client at this address receives a response before it is refused.
async fn answered_until_refused(client: &Client, from: &str) -> usize {
    for asked in 0..1_000 {
        let body = json!({ "query": "{ __type(name: \"Money\") { name } }" });
        let request = client.post("/graphql").header("x-forwarded-for", from).json(&body);
        let response = request.send().await.expect("an answer");
        match response.status() {
            StatusCode::OK => {}
            status => {
                assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
                assert_eq!(code(&response.json().await.expect("JSON")), "RATE_LIMITED");
                return asked;
            }
        }
    }
    panic!("never refused");
}

#[tokio::test]
async fn an_anonymous_client_pays_by_the_address_that_a_trusted_proxy_names() {
    let limits = [("limits.anonymous_rate", "1"), ("limits.anonymous_burst", "300")];
    let trusting = [limits[0], limits[1], ("http.trusted_proxies", "127.0.0.1")];
    let app = TestApp::start_with(&trusting).await;
    let client = app.anonymous();
    assert!(answered_until_refused(&client, "203.0.113.7").await > 0);
    assert_eq!(answered_until_refused(&client, "198.51.100.9, 203.0.113.7").await, 0);
    assert!(answered_until_refused(&client, "203.0.113.8").await > 0);
    let app = TestApp::start_with(&limits).await;
    let client = app.anonymous();
    assert!(answered_until_refused(&client, "203.0.113.7").await > 0);
    assert_eq!(
        answered_until_refused(&client, "203.0.113.8").await,
        0,
        "no such proxy is trusted"
    );
    assert_eq!(
        app.team.owner.client.query(VIEWER, json!({})).await.status,
        StatusCode::OK
    );
}

impl Raw {
    /// Returns the status of the welcome page.
    async fn welcome(&mut self) -> u16 {
        let _ = self.send(get("/")).await;
        self.answer().await.map_or(0, |answer| answer.status)
    }
}
