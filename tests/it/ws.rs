//! Sockets, tested by a client that can break every rule: each close code, each limit, each time-out.

use std::time::Duration;

use ledgerbell::primitives::actor::{Actor, Permission};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame as RawFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::harness::{Frame, Socket, TestApp, until};

const VIEWER: &str = "{ viewer { kind } }";

async fn ready(app: &TestApp) -> Socket {
    Socket::ready(app.base(), owner(app)).await
}

fn owner(app: &TestApp) -> &str {
    app.team.owner.client.credential().expect("a token")
}

fn error_code(message: &Value) -> &str {
    assert_eq!(message["type"], "error", "{message}");
    message["payload"][0]["extensions"]["code"].as_str().expect("a code")
}

#[tokio::test]
async fn queries_and_mutations_run_over_a_socket() {
    let app = TestApp::start().await;
    let mut socket = ready(&app).await;
    socket.subscribe("a", VIEWER, json!({})).await;
    let answer = socket.next("a").await;
    assert_eq!(answer["data"], json!({"viewer": {"kind": "MEMBER"}}));
    assert!(answer["extensions"]["cost"]["requested"].is_u64(), "{answer}");
    assert_eq!(socket.message().await, json!({"id": "a", "type": "complete"}));
    // The id is free again.
    socket
        .subscribe(
            "a",
            "mutation { adjustCredits(input: {amount: \"1\"}) { entry { id } } }",
            json!({}),
        )
        .await;
    assert_eq!(error_code(&socket.message().await), "BAD_REQUEST");
    let platform = app.platform.credential().expect("a key");
    drop(socket);
    let mut socket = Socket::ready(app.base(), platform).await;
    let input = json!({"accountId": app.team.id(), "credits": "5", "description": "Hello", "idempotencyKey": "1"});
    let grant = "mutation G($input: GrantCreditsInput!) { grantCredits(input: $input) { balance { posted } } }";
    socket.subscribe("g", grant, json!({"input": input})).await;
    let granted = socket.next("g").await;
    assert_eq!(granted["data"]["grantCredits"]["balance"]["posted"], "5", "{granted}");
    drop(socket);
    app.until_nobody_is_connected().await;
}

#[tokio::test]
async fn the_guard_stands_before_sockets_too() {
    let app = TestApp::start().await;
    let mut socket = ready(&app).await;
    let statements = app.app().database().statements();
    for (document, code) in [
        ("{ viewer { kind }".to_owned(), "BAD_REQUEST"),
        ("{ nothing }".to_owned(), "BAD_REQUEST"),
        (format!("{{ {} }}", "a: viewer { kind } ".repeat(1_000)), "TOO_COMPLEX"),
    ] {
        socket.subscribe("1", &document, json!({})).await;
        assert_eq!(error_code(&socket.message().await), code, "{document}");
    }
    assert!(
        app.app().database().statements() - statements <= 1,
        "at most one sign-in"
    );
}

#[tokio::test]
async fn only_our_subprotocol_is_spoken() {
    let app = TestApp::start().await;
    for offered in [
        "",
        "Sec-WebSocket-Protocol: graphql-ws\r\n",
        "Sec-WebSocket-Protocol: soap, wamp\r\n",
    ] {
        let mut tcp = TcpStream::connect(app.base().trim_start_matches("http://"))
            .await
            .expect("a connection");
        let handshake = format!(
            "GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{offered}\r\n"
        );
        tcp.write_all(handshake.as_bytes()).await.expect("sent");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(tcp.read_u8().await.expect("an answer"));
        }
        let head = String::from_utf8(head).expect("text").to_lowercase();
        assert!(
            head.starts_with("http/1.1 101") && !head.contains("sec-websocket-protocol"),
            "{head}"
        );
        assert_eq!(Socket::over(tcp).await.closed().await, 4406, "{offered:?}");
    }
    let offered = [("sec-websocket-protocol", "graphql-ws, graphql-transport-ws")];
    Socket::open(app.base(), &offered).await.expect("a socket");
    app.until_nobody_is_connected().await;
}

#[tokio::test]
async fn a_handshake_that_is_none_is_refused() {
    let app = TestApp::start().await;
    let client = app.anonymous();
    let upgrade = || {
        client
            .get("/graphql")
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
    };
    assert_eq!(client.send(upgrade()).await.status, 400);
    let old = upgrade()
        .header("sec-websocket-version", "8")
        .header("sec-websocket-key", "eA==");
    let response = old.send().await.expect("an answer");
    assert_eq!(response.status(), 426);
    assert_eq!(response.headers()["sec-websocket-version"], "13");
}

#[tokio::test]
async fn pages_of_foreign_origins_are_refused_before_the_upgrade() {
    let app = TestApp::start_with(&[("http.cors_origins", "https://app.example")]).await;
    let with_origin = async |origin: &str| {
        let headers = [("sec-websocket-protocol", "graphql-transport-ws"), ("origin", origin)];
        Socket::open(app.base(), &headers).await
    };
    for origin in ["https://evil.example", "null", "https://app.example.evil.example"] {
        let refused = with_origin(origin).await.err().expect("refused");
        assert_eq!(refused.status(), 403, "{origin}");
    }
    for origin in ["https://app.example", app.base()] {
        with_origin(origin).await.expect(origin);
    }
}

#[tokio::test]
async fn whoever_does_not_introduce_themselves_is_closed_with_4408() {
    let app = TestApp::start().await;
    let mut silent = Socket::connect(app.base()).await;
    app.advance(Duration::from_secs(10));
    assert_eq!(silent.closed().await, 4408);
    app.until_nobody_is_connected().await;
}

#[tokio::test]
async fn a_second_init_is_closed_with_4429() {
    let app = TestApp::start().await;
    let mut socket = ready(&app).await;
    socket.init(owner(&app)).await;
    assert_eq!(socket.closed().await, 4429);
    let mut hasty = Socket::connect(app.base()).await;
    hasty.init(owner(&app)).await;
    hasty.init(owner(&app)).await;
    assert_eq!(hasty.closed().await, 4429);
    app.until_nobody_is_connected().await;
}

#[tokio::test]
async fn an_operation_before_the_ack_is_closed_with_4401() {
    let app = TestApp::start().await;
    let mut socket = Socket::connect(app.base()).await;
    let statements = app.app().database().statements();
    socket.subscribe("1", VIEWER, json!({})).await;
    assert_eq!(socket.closed().await, 4401);
    assert_eq!(app.app().database().statements(), statements);
}

#[tokio::test]
async fn what_is_malformed_is_closed_with_4400() {
    let app = TestApp::start().await;
    for text in [
        "",
        "hello",
        "[]",
        r#"{"type":"start","id":"1","payload":{"query":"{ viewer { kind } }"}}"#,
        r#"{"type":"subscribe","id":"1","payload":{"query":1}}"#,
        r#"{"type":"subscribe","id":"1","payload":{"query":"{ viewer { kind } }","variables":[]}}"#,
        r#"{"type":"subscribe","id":"1","payload":{"query":"\u0000"}}"#,
    ] {
        let mut socket = ready(&app).await;
        socket.send_frame(Message::text(text)).await;
        assert_eq!(socket.closed().await, 4400, "{text}");
    }
    let mut socket = ready(&app).await;
    socket.send_frame(Message::binary(r#"{"type":"ping"}"#)).await;
    assert_eq!(socket.closed().await, 4400);
    app.until_nobody_is_connected().await;
}

#[tokio::test]
async fn whoever_is_not_signed_in_is_closed_with_4403() {
    let app = TestApp::start().await;
    for credential in ["", "nonsense", "lb_00000000_0000000000000000000000000000000000000000"] {
        let mut socket = Socket::connect(app.base()).await;
        socket.init(credential).await;
        assert_eq!(socket.closed().await, 4403, "{credential}");
    }
    let mut socket = Socket::connect(app.base()).await;
    socket.send(&json!({"type": "connection_init"})).await;
    assert_eq!(socket.closed().await, 4403);
    app.until_nobody_is_connected().await;
}

#[tokio::test]
async fn a_token_that_expires_closes_its_sockets_with_4403() {
    let app = TestApp::start().await;
    let member = &app.team.member.member;
    let sign_in = &app.services().sign_in;
    let token = sign_in
        .issue_token(member.account_id, member.id, Duration::from_secs(20))
        .expect("a token");
    let mut socket = Socket::ready(app.base(), &token).await;
    app.advance(Duration::from_secs(20));
    assert_eq!(socket.closed().await, 4403);
    let mut late = Socket::connect(app.base()).await;
    late.init(&token).await;
    assert_eq!(late.closed().await, 4403);
    app.until_nobody_is_connected().await;
}

#[tokio::test]
async fn a_key_that_is_revoked_runs_nothing_more() {
    let app = TestApp::start().await;
    let key = app.key(&[Permission::ReadCreditLog]).await;
    let mut socket = Socket::ready(app.base(), key.credential().expect("a key")).await;
    app.revoke_all_keys().await;
    socket.subscribe("1", VIEWER, json!({})).await;
    assert_eq!(socket.closed().await, 4403);
}

#[tokio::test]
async fn pings_are_answered_with_what_they_carry() {
    let app = TestApp::start().await;
    let mut socket = Socket::connect(app.base()).await;
    socket.send(&json!({"type": "ping", "payload": {"at": 1}})).await;
    assert_eq!(socket.message().await, json!({"type": "pong", "payload": {"at": 1}}));
    socket.send(&json!({"type": "ping"})).await;
    assert_eq!(socket.message().await, json!({"type": "pong"}));
}

#[tokio::test]
async fn silence_is_pinged_and_closed_with_1013_when_it_lasts() {
    let app = TestApp::start().await;
    let mut socket = ready(&app).await;
    for _ in 0..2 {
        app.advance(Duration::from_secs(25));
        assert_eq!(socket.frame().await, Frame::Ping);
        // The next read answers the ping; the response to our own ping shows that the server has read it.
        socket.send(&json!({"type": "ping"})).await;
        assert_eq!(socket.frame().await, Frame::Message(json!({"type": "pong"})));
    }
    app.advance(Duration::from_secs(25));
    assert_eq!(socket.frame().await, Frame::Ping);
    app.advance(Duration::from_secs(10));
    assert_eq!(socket.closed().await, 1013);
    app.until_nobody_is_connected().await;
}

#[tokio::test]
async fn a_client_that_stops_reading_is_closed_with_1013() {
    let app = TestApp::start_with(&[("live.messages_per_second", "100000")]).await;
    let mut socket = ready(&app).await;
    let big = "x".repeat(60_000);
    // Responses of the same size fill the buffers of both sides: systems use some ten megabytes per connection.
    let flood = async {
        for _ in 0..3_900 {
            let ping = json!({"type": "ping", "payload": {"big": big}}).to_string();
            if socket.feed(Message::text(ping)).await.is_err() {
                break;
            }
        }
    };
    let stalled = tokio::time::timeout(Duration::from_secs(2), flood).await;
    assert!(stalled.is_err(), "the server stops reading when it cannot write");
    until(|| {
        app.advance(Duration::from_secs(1));
        app.app().live_connections().taken() == 0
    })
    .await;
}

#[tokio::test]
async fn caps_hold() {
    let app = TestApp::start_with(&[
        ("live.per_caller", "3"),
        ("live.operations", "2"),
        ("live.message_bytes", "2000"),
        ("live.messages_per_second", "5"),
    ])
    .await;
    let mut first = ready(&app).await;
    let (_second, _third) = (ready(&app).await, ready(&app).await);
    let mut fourth = Socket::connect(app.base()).await;
    fourth.init(owner(&app)).await;
    assert_eq!(fourth.closed().await, 1013);
    until(|| app.app().live_connections().taken() == 3).await;
    let admin = app.team.admin.client.credential().expect("a token");
    let mut other = Socket::ready(app.base(), admin).await;

    first
        .send_frame(Message::text(
            json!({"type": "ping", "payload": {"x": "y".repeat(2_000)}}).to_string(),
        ))
        .await;
    assert_eq!(first.closed().await, 1009);
    for _ in 0..30 {
        other.send(&json!({"type": "pong"})).await;
    }
    assert_eq!(other.closed().await, 1013);
}

#[tokio::test]
async fn messages_in_many_frames_are_whole_and_bounded() {
    let app = TestApp::start().await;
    let mut socket = ready(&app).await;
    let ping = json!({"type": "ping", "payload": {"word": "é".repeat(30)}}).to_string();
    for (at, byte) in ping.bytes().enumerate() {
        let opcode = if at == 0 { Data::Text } else { Data::Continue };
        let frame = RawFrame::message(vec![byte], OpCode::Data(opcode), at + 1 == ping.len());
        socket.send_frame(Message::Frame(frame)).await;
    }
    assert_eq!(socket.message().await["payload"]["word"], "é".repeat(30));
    for at in 0..70 {
        let opcode = if at == 0 { Data::Text } else { Data::Continue };
        let frame = RawFrame::message(vec![b' '; 1_000], OpCode::Data(opcode), false);
        socket.send_frame(Message::Frame(frame)).await;
    }
    assert_eq!(socket.closed().await, 1009);
    app.until_nobody_is_connected().await;
}

#[tokio::test]
async fn a_long_answer_comes_whole() {
    let app = TestApp::start().await;
    let mut socket = ready(&app).await;
    socket
        .subscribe(
            "s",
            "{ __schema { types { name description fields { name description } } } }",
            json!({}),
        )
        .await;
    let answer = socket.next("s").await;
    assert!(answer.to_string().len() > 32 * 1024, "more than two pieces");
    assert_eq!(socket.message().await, json!({"id": "s", "type": "complete"}));
}

#[tokio::test]
async fn f61_nothing_is_left_of_sockets_that_die_early() {
    let app = TestApp::start().await;
    for _ in 0..20 {
        let mut socket = Socket::connect(app.base()).await;
        socket.init(owner(&app)).await;
        let mut running = ready(&app).await;
        running.subscribe("1", VIEWER, json!({})).await;
    }
    app.until_nobody_is_connected().await;
}

const ENTRIES: &str = "subscription ($after: LiveCursor) { creditEntryPosted(after: $after) {
    cursor signal replayed entry { sequence } } }";

/// Waits for the next event of a subscription.
async fn event(socket: &mut Socket, id: &str) -> Value {
    socket.next(id).await["data"]["creditEntryPosted"].take()
}

#[tokio::test]
async fn a_subscription_lives_until_it_is_completed() {
    let app = TestApp::start().await;
    let hub = app.services().events.hub();
    let mut socket = ready(&app).await;
    socket.subscribe("s", ENTRIES, json!({})).await;
    assert_eq!(event(&mut socket, "s").await["signal"], "CAUGHT_UP");
    app.top_up(1).await;
    let first = event(&mut socket, "s").await;
    assert_eq!(first["entry"]["sequence"], "1");
    assert_eq!(hub.listeners(), 1);
    socket.complete("s").await;
    socket.send(&json!({"type": "ping"})).await;
    assert_eq!(
        socket.message().await,
        json!({"type": "pong"}),
        "the client's word is not answered"
    );
    assert_eq!(hub.listeners(), 0);
    app.top_up(2).await;
    // The id is free, and no event was missed.
    socket.subscribe("s", ENTRIES, json!({"after": first["cursor"]})).await;
    assert_eq!(event(&mut socket, "s").await["entry"]["sequence"], "2");
    assert_eq!(event(&mut socket, "s").await["signal"], "CAUGHT_UP");
}

#[tokio::test]
async fn an_id_that_runs_is_closed_with_4409() {
    let app = TestApp::start().await;
    let mut socket = ready(&app).await;
    socket.subscribe("s", ENTRIES, json!({})).await;
    event(&mut socket, "s").await;
    socket.subscribe("s", VIEWER, json!({})).await;
    assert_eq!(socket.closed().await, 4409);
    app.until_nobody_is_connected().await;
    assert_eq!(app.services().events.hub().listeners(), 0);
}

#[tokio::test]
async fn operations_of_a_socket_are_capped() {
    let app = TestApp::start_with(&[("live.operations", "2")]).await;
    let mut socket = ready(&app).await;
    for id in ["1", "2"] {
        socket.subscribe(id, ENTRIES, json!({})).await;
        event(&mut socket, id).await;
    }
    socket.subscribe("3", ENTRIES, json!({})).await;
    assert_eq!(error_code(&socket.message().await), "RATE_LIMITED");
    socket.complete("1").await;
    socket.subscribe("3", ENTRIES, json!({})).await;
    event(&mut socket, "3").await;
    assert_eq!(app.services().events.hub().listeners(), 2);
}

#[tokio::test]
async fn a_subscription_that_is_refused_ends_with_its_errors() {
    let app = TestApp::start().await;
    let mut socket = ready(&app).await;
    for document in [
        "subscription { creditEntryPosted(after: \"nonsense\") { cursor } }",
        "subscription { creditEntryPosted(accountId: \"acc_1\") { cursor } }",
        "subscription { nothing }",
    ] {
        socket.subscribe("1", document, json!({})).await;
        assert_eq!(error_code(&socket.message().await), "BAD_REQUEST", "{document}");
    }
}

#[tokio::test]
async fn whoever_is_signed_out_is_closed_with_4403_also_when_nothing_happens() {
    let app = TestApp::start().await;
    let key = app.key(&[Permission::ReadCreditLog]).await;
    let mut idle = Socket::ready(app.base(), key.credential().expect("a key")).await;
    let mut other = Socket::ready(app.base(), key.credential().expect("a key")).await;
    other.subscribe("s", ENTRIES, json!({})).await;
    event(&mut other, "s").await;
    app.revoke_all_keys().await;
    app.advance(Duration::from_secs(1));
    assert_eq!(idle.closed().await, 4403);
    assert_eq!(other.closed().await, 4403);
    let member = app.team.member.client.credential().expect("a token");
    let mut member = Socket::ready(app.base(), member).await;
    let mut owner = ready(&app).await;
    let (account_id, member_id) = (app.team.account.id, app.team.member.member.id);
    let removed = app
        .services()
        .members
        .remove(&Actor::System, account_id, member_id)
        .await;
    removed.expect("removed");
    app.advance(Duration::from_secs(1));
    assert_eq!(member.closed().await, 4403);
    owner.send(&json!({"type": "ping"})).await;
    assert_eq!(owner.message().await, json!({"type": "pong"}), "others stay");
}

#[tokio::test]
async fn f61_nothing_is_left_of_subscriptions_whose_socket_dies() {
    let app = TestApp::start().await;
    let hub = app.services().events.hub();
    let mut sockets = Vec::new();
    for _ in 0..20 {
        let mut socket = ready(&app).await;
        for id in ["1", "2", "3"] {
            socket.subscribe(id, ENTRIES, json!({})).await;
        }
        sockets.push(socket);
    }
    until(|| hub.listeners() == 60).await;
    drop(sockets);
    app.until_nobody_is_connected().await;
    assert_eq!(hub.listeners(), 0);
}

#[tokio::test]
async fn a_server_that_stops_closes_its_sockets_with_1012_one_after_the_other() {
    let app = TestApp::start_with(&[("http.drain_seconds", "2")]).await;
    let mut sockets = Vec::new();
    for _ in 0..10 {
        let mut socket = ready(&app).await;
        socket.subscribe("s", ENTRIES, json!({})).await;
        event(&mut socket, "s").await;
        sockets.push(socket);
    }
    app.tell_to_stop();
    let clock = &app.clock;
    let ticking = async {
        loop {
            clock.advance(Duration::from_millis(50));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let closing = futures_util::future::join_all(sockets.iter_mut().map(async |socket| {
        assert_eq!(socket.closed().await, 1012);
        clock.now().millis()
    }));
    let closed_at = tokio::select! {
        closed_at = closing => closed_at,
        () = ticking => unreachable!("it ticks on"),
    };
    let (first, last) = (closed_at.iter().min(), closed_at.iter().max());
    let spread = last.expect("ten") - first.expect("ten");
    assert!(spread >= 500, "spread over {spread} ms of two seconds");
    app.finish().await;
}

#[tokio::test]
async fn sockets_are_among_the_connections_that_a_server_has() {
    let app = TestApp::start_with(&[("http.max_connections", "2")]).await;
    let first = Socket::connect(app.base()).await;
    let _second = Socket::connect(app.base()).await;
    let offered = [("sec-websocket-protocol", "graphql-transport-ws")];
    let full = Socket::open(app.base(), &offered).await.err().expect("full");
    assert_eq!(full.status(), 503);
    drop(first);
    until(|| app.app().live_connections().taken() == 1).await;
    let mut third = Socket::connect(app.base()).await;
    third.send(&json!({"type": "ping"})).await;
    assert_eq!(third.message().await, json!({"type": "pong"}));
}
