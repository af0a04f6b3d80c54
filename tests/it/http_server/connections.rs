//! Connections of hostile clients, and of a server that is shutting down.

use futures_util::future::join_all;

use super::code;
use crate::harness::{Raw, TestApp};

const LIVE: &str = "GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n";

/// Returns the head of a POST to the API, without its end.
fn head(app: &TestApp, rest: &str) -> String {
    let credential = app.platform.credential().expect("a key").to_owned();
    format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {credential}\r\ncontent-type: application/json\r\n{rest}\r\n\r\n"
    )
}

#[tokio::test]
async fn a_head_that_does_not_end_ends_its_connection() {
    let app = TestApp::start_with(&[("http.head_seconds", "1")]).await;
    let beginnings = ["", "GET", "GET /health/live HTTP/1.1\r\nhost: x\r\nx-a: "];
    let mut slow = join_all(beginnings.map(|_| Raw::connect(app.base()))).await;
    for (raw, beginning) in slow.iter_mut().zip(beginnings) {
        raw.send(beginning).await.expect("it is read");
    }
    // A connection that has received a response may not idle longer.
    let mut idle = Raw::connect(app.base()).await;
    idle.send(LIVE).await.expect("it is read");
    assert_eq!(idle.answer().await.expect("an answer").status, 200);
    for raw in slow.iter_mut().chain([&mut idle]) {
        raw.is_hung_up_on().await;
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let app = TestApp::start_with(&[("http.body_seconds", "1")]).await;
    let mut slow = Raw::connect(app.base()).await;
    slow.send(head(&app, "content-length: 100")).await.expect("it is read");
    slow.send("{ \"query\":").await.expect("it is read");
    let answer = slow.answer().await.expect("an answer");
    assert_eq!(answer.status, 408, "{answer:?}");
    assert_eq!(code(&serde_json::from_str(&answer.body).expect("JSON")), "BAD_REQUEST");
    slow.is_hung_up_on().await;
}

#[tokio::test]
async fn a_body_without_an_end_is_read_to_its_bound() {
    let app = TestApp::start().await;
    let mut endless = Raw::connect(app.base()).await;
    endless
        .send(head(&app, "transfer-encoding: chunked"))
        .await
        .expect("it is read");
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    let mut sent = 0;
    // 64 KiB, and what is in the buffers between.
    while endless.send(&chunk).await.is_ok() && sent < 20_000 {
        sent += 1;
        if sent == 17 {
            let answer = endless.answer().await.expect("an answer");
            assert_eq!(answer.status, 413, "{answer:?}");
        }
    }
    assert!((17..20_000).contains(&sent), "hung up on after {sent} chunks");
}

#[tokio::test]
async fn webhooks_have_the_bounds_that_everything_has() {
    let app = TestApp::start_with(&[("http.body_seconds", "1")]).await;
    let head = |rest: &str| format!("POST /webhooks/stripe HTTP/1.1\r\nhost: x\r\n{rest}\r\n\r\n");
    let mut slow = Raw::connect(app.base()).await;
    slow.send(head("content-length: 100")).await.expect("it is read");
    slow.send("{ \"id\":").await.expect("it is read");
    assert_eq!(slow.answer().await.expect("an answer").status, 408);
    slow.is_hung_up_on().await;
    for (bytes, status) in [(512 * 1024, 400), (512 * 1024 + 1, 413)] {
        let mut whole = Raw::connect(app.base()).await;
        let length = format!("content-length: {bytes}");
        whole.send(head(&length)).await.expect("it is read");
        whole.send(" ".repeat(bytes)).await.expect("it is read");
        assert_eq!(whole.answer().await.expect("an answer").status, status, "{bytes} bytes");
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let app = TestApp::start().await;
    for head in [
        format!(
            "GET /health/live HTTP/1.1\r\nhost: x\r\nx-a: {}\r\n\r\n",
            "a".repeat(40_000)
        ),
        format!(
            "GET /health/live HTTP/1.1\r\nhost: x\r\n{}\r\n",
            "x-a: b\r\n".repeat(1_000)
        ),
        format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(100_000)),
    ] {
        let mut raw = Raw::connect(app.base()).await;
        // The server may close the connection before it has read everything.
        let _ = raw.send(&head).await;
        if let Some(answer) = raw.answer().await {
            assert!(matches!(answer.status, 431 | 414), "{answer:?}");
        }
        raw.is_hung_up_on().await;
    }
}

#[tokio::test]
async fn what_is_no_http_ends_its_connection() {
    let app = TestApp::start().await;
    for nonsense in [
        "\0\0\0\0\r\n\r\n",
        "\u{16}\u{3}\u{1}\0\r\n\r\n",
        "HELLO\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut raw = Raw::connect(app.base()).await;
        let _ = raw.send(nonsense).await;
        if let Some(answer) = raw.answer().await {
            assert!(matches!(answer.status, 400 | 505), "{nonsense:?}: {answer:?}");
        }
        raw.is_hung_up_on().await;
    }
}

#[tokio::test]
async fn requests_sent_ahead_are_answered_in_their_order() {
    let app = TestApp::start().await;
    let mut raw = Raw::connect(app.base()).await;
    let bodies: Vec<String> = (0..50)
        .map(|number| format!("{{\"query\":\"{{ a{number}: __typename }}\"}}"))
        .collect();
    let requests = bodies.iter().map(|body| {
        let head = head(&app, &format!("content-length: {}", body.len()));
        head + body
    });
    raw.send(requests.collect::<String>()).await.expect("it is read");
    for number in 0..50 {
        let answer = raw.answer().await.expect("an answer");
        assert!(answer.body.contains(&format!("\"a{number}\"")), "{answer:?}");
    }
}

#[tokio::test]
async fn whoever_takes_nothing_of_their_answers_is_hung_up_on() {
    let app = TestApp::start_with(&[("http.answer_seconds", "1")]).await;
    let mut raw = Raw::connect(app.base()).await;
    let body = "{\"query\":\"{ __schema { types { name description fields { name description } } } }\"}";
    let request = head(&app, &format!("content-length: {}", body.len())) + body;
    let mut sent = 0;
    while raw.send(&request).await.is_ok() && sent < 100_000 {
        sent += 1;
    }
    assert!(sent < 100_000);
}

#[tokio::test]
async fn clients_that_close_half_harm_nobody() {
    let app = TestApp::start().await;
    for beginning in ["", "GET", LIVE] {
        let mut raw = Raw::connect(app.base()).await;
        raw.send(beginning).await.expect("it is read");
        raw.close_half().await;
        raw.is_hung_up_on().await;
    }
    let live = app.anonymous().get("/health/live").send().await;
    assert!(live.expect("an answer").status().is_success());
}

#[tokio::test]
async fn connections_beyond_those_allowed_are_told_so() {
    let app = TestApp::start_with(&[("http.max_connections", "2")]).await;
    let mut first = Raw::connect(app.base()).await;
    let mut second = Raw::connect(app.base()).await;
    for raw in [&mut first, &mut second] {
        raw.send(LIVE).await.expect("it is read");
        assert_eq!(raw.answer().await.expect("an answer").status, 200);
    }
    let mut third = Raw::connect(app.base()).await;
    third
        .send("GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("it is read");
    let answer = third.answer().await.expect("an answer");
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.head.contains("retry-after: 1"));
    third.is_hung_up_on().await;
    drop(first);
    loop {
        let mut again = Raw::connect(app.base()).await;
        let _ = again.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        if again.answer().await.is_some_and(|answer| answer.status == 200) {
            break;
        }
    }
}

#[tokio::test]
async fn a_server_that_is_told_to_stop_says_so_and_ends_what_it_began() {
    let app = TestApp::start().await;
    let mut idle = Raw::connect(app.base()).await;
    idle.send(LIVE).await.expect("it is read");
    assert_eq!(idle.answer().await.expect("an answer").status, 200);
    let body = "{\"query\":\"{ viewer { kind } }\"}";
    let mut busy = Raw::connect(app.base()).await;
    busy.send(head(&app, &format!("content-length: {}", body.len())))
        .await
        .expect("it is read");
    busy.send(&body[..5]).await.expect("it is read");
    // The response arrives on a connection that was accepted later, so the head above has been read too.
    let mut later = Raw::connect(app.base()).await;
    later.send(LIVE).await.expect("it is read");
    assert_eq!(later.answer().await.expect("an answer").status, 200);

    app.tell_to_stop();
    idle.is_hung_up_on().await;
    later.is_hung_up_on().await;
    for (asked, upgrade) in [
        ("/health/ready", ""),
        (
            "/graphql",
            "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n",
        ),
    ] {
        let mut raw = Raw::connect(app.base()).await;
        raw.send(format!("GET {asked} HTTP/1.1\r\nhost: x\r\n{upgrade}\r\n"))
            .await
            .expect("it is read");
        assert_eq!(raw.answer().await.expect("an answer").status, 503, "{asked}");
        raw.is_hung_up_on().await;
    }
    busy.send(&body[5..]).await.expect("it is read");
    let answer = busy.answer().await.expect("what was begun is answered");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(
        answer.body.contains("INTEGRATION") || answer.body.contains("API_KEY"),
        "{answer:?}"
    );
    busy.is_hung_up_on().await;
    app.finish().await;
}

#[tokio::test]
async fn a_request_that_does_not_end_does_not_hold_the_server_up() {
    let app = TestApp::start_with(&[("http.drain_seconds", "0")]).await;
    let mut busy = Raw::connect(app.base()).await;
    busy.send(head(&app, "content-length: 100")).await.expect("it is read");
    app.finish().await;
    busy.is_hung_up_on().await;
}
