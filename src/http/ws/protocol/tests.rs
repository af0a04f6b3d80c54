//! Tests each state with each event, and the resulting action.

use serde_json::json;

use super::*;

const LIMITS: SocketLimits = SocketLimits {
    init_timeout: Duration::from_secs(5),
    ping_interval: Duration::from_secs(25),
    pong_timeout: Duration::from_secs(10),
    write_timeout: Duration::from_secs(15),
    operations: 10,
    messages_per_second: 10,
    message_bytes: 65_536,
};

const INIT: &str = r#"{"type":"connection_init","payload":{"authorization":"Bearer secret"}}"#;
const SUBSCRIBE: &str = r#"{"type":"subscribe","id":"1","payload":{"query":"{ a }"}}"#;

impl Ids for &[&str] {
    fn has(&self, id: &str) -> bool {
        self.contains(&id)
    }
}

/// A state machine and its time.
struct Socket {
    protocol: Protocol,
    at: Duration,
}

impl Socket {
    fn opened() -> Self {
        let mut socket = Self {
            protocol: Protocol::new(LIMITS, now(Duration::ZERO)),
            at: Duration::ZERO,
        };
        assert_eq!(socket.tick(), Effect::Rest);
        socket
    }

    fn ready() -> Self {
        Self::ready_until(None)
    }

    fn ready_until(seconds: Option<i64>) -> Self {
        let mut socket = Self::opened();
        socket.receive(INIT);
        let ack = socket.signed_in(seconds);
        assert_eq!(ack, Effect::Send(r#"{"type":"connection_ack"}"#.to_owned()));
        socket
    }

    fn signed_in(&mut self, until_seconds: Option<i64>) -> Effect {
        let until = until_seconds.map(|seconds| Timestamp::from_millis(seconds * 1_000));
        self.protocol.signed_in(until, now(self.at))
    }

    fn receive(&mut self, text: &str) -> Effect {
        self.receive_beside(text, &[])
    }

    fn receive_beside(&mut self, text: &str, running: &[&str]) -> Effect {
        self.protocol.receive(text, &running, now(self.at))
    }

    fn pass(&mut self, seconds: u64) -> Effect {
        self.at += Duration::from_secs(seconds);
        self.tick()
    }

    fn tick(&mut self) -> Effect {
        self.protocol.tick(now(self.at))
    }

    /// Returns the seconds until the next tick.
    fn rests_for(&self) -> u64 {
        self.protocol.next_tick(now(self.at)).saturating_sub(self.at).as_secs()
    }
}

fn now(elapsed: Duration) -> Now {
    let millis = i64::try_from(elapsed.as_millis()).expect("a short time");
    Now {
        elapsed,
        instant: Timestamp::from_millis(millis),
    }
}

#[track_caller]
fn assert_closes(action: Effect, code: u16) {
    match action {
        Effect::Close(close) => assert_eq!(close.code, code, "{close:?}"),
        action => panic!("{code} is expected, not {action:?}"),
    }
}

#[test]
fn whoever_says_nothing_is_closed_with_4408() {
    let mut socket = Socket::opened();
    assert_eq!(socket.rests_for(), 5);
    assert_eq!(socket.pass(4), Effect::Rest);
    assert_closes(socket.pass(1), 4408);
    let mut slow = Socket::opened();
    assert_eq!(slow.receive(INIT), Effect::SignIn(Some("secret".to_owned())));
    assert_closes(slow.pass(5), 4408);
    assert_eq!(slow.signed_in(None), Effect::Rest, "too late");
}

#[test]
fn a_second_init_is_closed_with_4429() {
    assert_closes(Socket::ready().receive(INIT), 4429);
    let mut socket = Socket::opened();
    socket.receive(INIT);
    assert_closes(socket.receive(INIT), 4429);
}

#[test]
fn operations_before_the_ack_are_closed_with_4401() {
    assert_closes(Socket::opened().receive(SUBSCRIBE), 4401);
    let mut socket = Socket::opened();
    socket.receive(INIT);
    assert_closes(socket.receive(SUBSCRIBE), 4401);
}

#[test]
fn an_id_that_runs_is_closed_with_4409_and_is_free_afterwards() {
    let mut socket = Socket::ready();
    let payload = json!({"query": "{ a }"});
    let id = "1".to_owned();
    let start = Effect::Start {
        id,
        payload,
        altered_number: None,
    };
    assert_eq!(socket.receive_beside(SUBSCRIBE, &["0", "2"]), start);
    assert_eq!(socket.receive_beside(SUBSCRIBE, &[]), start);
    assert_closes(socket.receive_beside(SUBSCRIBE, &["0", "1"]), 4409);
}

#[test]
fn what_is_malformed_is_closed_with_4400() {
    assert_closes(Socket::opened().receive("hello"), 4400);
    assert_closes(Socket::ready().receive(r#"{"type":"connection_terminate"}"#), 4400);
}

#[test]
fn a_client_may_complete_what_does_not_run_and_ping_at_any_time() {
    let mut socket = Socket::opened();
    let stop = Effect::Stop("9".to_owned());
    assert_eq!(socket.receive(r#"{"type":"complete","id":"9"}"#), stop);
    let pong = Effect::Send(r#"{"type":"pong","payload":{"a":1}}"#.to_owned());
    assert_eq!(socket.receive(r#"{"type":"ping","payload":{"a":1}}"#), pong);
    assert_eq!(socket.receive(r#"{"type":"pong"}"#), Effect::Rest);
}

#[test]
fn the_credential_may_be_written_as_in_the_header_or_bare() {
    for (payload, expected) in [
        (json!({"authorization": "Bearer a.b"}), Some("a.b")),
        (json!({"Authorization": "bearer  a.b "}), Some("a.b")),
        (json!({"authorization": "lb_1_2"}), Some("lb_1_2")),
        (json!({"authorization": "Bearer "}), None),
        (json!({"authorization": ""}), None),
        (json!({"authorization": 1}), None),
        (json!({"token": "a.b"}), None),
    ] {
        let init = json!({"type": "connection_init", "payload": payload}).to_string();
        let credential = expected.map(str::to_owned);
        assert_eq!(Socket::opened().receive(&init), Effect::SignIn(credential), "{payload}");
    }
}

#[test]
fn a_token_that_ends_closes_with_4403() {
    let mut socket = Socket::ready_until(Some(7));
    assert_eq!(socket.rests_for(), 7);
    assert_eq!(socket.pass(6), Effect::Rest);
    assert_closes(socket.pass(1), 4403);
    let mut late = Socket::opened();
    late.receive(INIT);
    late.at = Duration::from_secs(3);
    assert_closes(late.signed_in(Some(3)), 4403);
}

#[test]
fn silence_is_pinged_and_then_closed_with_1013() {
    let mut socket = Socket::ready();
    assert_eq!(socket.rests_for(), 25);
    assert_eq!(socket.pass(25), Effect::Ping);
    assert_eq!(socket.rests_for(), 10);
    assert_eq!(socket.pass(9), Effect::Rest);
    assert_eq!(socket.protocol.hear(now(socket.at)), Effect::Rest);
    assert_eq!(socket.pass(1), Effect::Rest);
    assert_eq!(socket.pass(24), Effect::Ping);
    assert_closes(socket.pass(10), 1013);
}

#[test]
fn a_client_that_does_not_read_is_closed_with_1013() {
    let mut socket = Socket::ready();
    socket.protocol.blocked(now(socket.at));
    socket.pass(10);
    socket.protocol.blocked(now(socket.at));
    assert_eq!(socket.rests_for(), 5, "it counts from the beginning");
    socket.protocol.unblocked();
    assert_eq!(socket.pass(5), Effect::Rest);
    socket.protocol.blocked(now(socket.at));
    assert_closes(socket.pass(15), 1013);
}

#[test]
fn a_drain_closes_with_1012_when_it_is_this_sockets_turn() {
    let mut socket = Socket::ready();
    socket.protocol.drain(Duration::from_secs(3), now(socket.at));
    assert_eq!(socket.rests_for(), 3);
    assert_eq!(socket.pass(2), Effect::Rest);
    assert_closes(socket.pass(1), 1012);
}

#[test]
fn a_flood_is_closed_with_1013() {
    let mut socket = Socket::ready();
    for _ in 0..39 {
        assert_eq!(socket.receive(r#"{"type":"pong"}"#), Effect::Rest);
    }
    socket.pass(1);
    for _ in 0..10 {
        assert_eq!(socket.protocol.hear(now(socket.at)), Effect::Rest);
    }
    assert_closes(socket.receive(SUBSCRIBE), 1013);
}

#[test]
fn what_is_closing_does_no_more_and_is_let_go() {
    let mut socket = Socket::ready_until(Some(1));
    assert_closes(socket.receive("hello"), 4400);
    assert!(socket.protocol.is_closing());
    assert_eq!(socket.pass(1), Effect::Rest);
    assert_eq!(socket.protocol.close(Close::drain(), now(socket.at)), Effect::Rest);
    assert_eq!(socket.rests_for(), 1);
    assert_eq!(socket.pass(1), Effect::HangUp);
}

#[test]
fn reasons_fit_a_close_frame() {
    let close = Close::duplicate(&"é".repeat(64));
    assert!(close.reason.len() <= 123, "{close:?}");
}
