//! Who pays for the messages of subscriptions, and what happens if a caller cannot pay.

use std::time::Duration;

use serde_json::{Value, json};

use super::grant;
use crate::harness::{Client, EventStream, Frame, Socket, StreamEvent, TestApp, until};

const ENTRIES: &str =
    "subscription($after: LiveCursor) { creditEntryPosted(after: $after) { cursor signal entry { sequence } } }";
/// The cost of `ENTRIES`: 20 for a message, and four fields.
const PRICE: u64 = 24;

async fn socket(app: &TestApp, client: &Client) -> Socket {
    Socket::ready(app.base(), client.credential().expect("a token")).await
}

/// Follows the account's entries from now on.
async fn follow(socket: &mut Socket, id: &str) {
    socket.subscribe(id, ENTRIES, json!({})).await;
    let first = socket.next(id).await;
    assert_eq!(first["data"]["creditEntryPosted"]["signal"], "CAUGHT_UP", "{first}");
}

/// Returns the rest of the client's allowance.
async fn remaining(client: &Client) -> u64 {
    let answer = client.query("{ viewer { kind } }", json!({})).await;
    answer.body["extensions"]["cost"]["remaining"]
        .as_u64()
        .expect("a number")
}

fn sequence(payload: &Value) -> i64 {
    let text = payload["data"]["creditEntryPosted"]["entry"]["sequence"].as_str();
    text.unwrap_or_else(|| panic!("an entry, not {payload}"))
        .parse()
        .expect("a number")
}

#[tokio::test]
async fn each_message_is_charged_to_its_follower_over_sockets_and_event_streams() {
    let app = TestApp::start_with(&[("limits.rate", "1"), ("limits.burst", "20000")]).await;
    let (owner, admin) = (&app.team.owner.client, &app.team.admin.client);
    let mut socket = socket(&app, owner).await;
    follow(&mut socket, "a").await;
    let before = remaining(owner).await;
    grant(&app, &app.team, "over sockets", 15).await;
    for _ in 0..15 {
        sequence(&socket.next("a").await);
    }
    let paid = before - remaining(owner).await;
    assert!(paid >= 15 * PRICE, "{paid} for 15 messages");
    socket.complete("a").await;
    drop(socket);

    let mut stream = EventStream::open(admin, ENTRIES, json!({})).await.expect("a stream");
    stream.any().await.expect("CAUGHT_UP");
    let before = remaining(admin).await;
    grant(&app, &app.team, "over streams", 15).await;
    for _ in 0..15 {
        match stream.any().await.expect("a message") {
            StreamEvent::Next(payload, _) => assert!(sequence(&payload) > 15),
            event => panic!("a message, not {event:?}"),
        }
    }
    let paid = before - remaining(admin).await;
    assert!(paid >= 15 * PRICE, "{paid} for 15 messages");
}

#[tokio::test]
async fn a_message_that_is_made_once_for_several_is_paid_once_and_its_delivery_by_each() {
    let app = TestApp::start_with(&[("limits.rate", "1"), ("limits.burst", "20000")]).await;
    let followers = [&app.team.owner.client, &app.team.owner.client, &app.team.owner.client];
    let mut sockets = Vec::new();
    for client in followers {
        let mut socket = socket(&app, client).await;
        follow(&mut socket, "a").await;
        sockets.push(socket);
    }
    let before = remaining(followers[0]).await;
    grant(&app, &app.team, "shared", 20).await;
    for socket in &mut sockets {
        for _ in 0..20 {
            sequence(&socket.next("a").await);
        }
    }
    let paid = before - remaining(followers[0]).await;
    assert!(
        (20 * PRICE..2 * 20 * PRICE).contains(&paid),
        "{paid} for 20 messages to three sockets"
    );
}

#[tokio::test]
async fn a_follower_beyond_its_allowance_gets_everything_later() {
    let limits = [
        ("limits.rate", "10"),
        ("limits.cost", "100"),
        ("limits.burst", "100"),
        ("live.cost_per_caller", "100"),
    ];
    let app = TestApp::start_with(&limits).await;
    let mut socket = socket(&app, &app.team.owner.client).await;
    follow(&mut socket, "a").await;
    let begun = app.clock.now();
    grant(&app, &app.team, "many", 15).await;
    let reading = tokio::spawn(async move {
        let mut sequences = Vec::new();
        for _ in 0..15 {
            sequences.push(sequence(&socket.next("a").await));
        }
        sequences
    });
    until(|| {
        app.advance(Duration::from_millis(200));
        reading.is_finished()
    })
    .await;
    let expected: Vec<i64> = (1..=15).collect();
    assert_eq!(
        reading.await.expect("read"),
        expected,
        "nothing is missing and nothing comes twice"
    );
    let waited = app.clock.now().millis() - begun.millis();
    // 15 messages cost 360 and their delivery 15. The allowance was 76 at the beginning and grows by 10 per second.
    assert!(
        waited >= 25_000,
        "slowed down to the rate of the allowance: {waited} ms"
    );
}

#[tokio::test]
async fn a_follower_who_stays_beyond_its_allowance_is_ended_and_its_cursor_stays_good() {
    let limits = [
        ("limits.rate", "1"),
        ("limits.cost", "100"),
        ("limits.burst", "100"),
        ("live.cost_per_caller", "100"),
    ];
    let app = TestApp::start_with(&limits).await;
    let credential = app.team.owner.client.credential().expect("a token").to_owned();
    let mut first = Socket::ready(app.base(), &credential).await;
    follow(&mut first, "a").await;
    grant(&app, &app.team, "many", 30).await;
    let reading = tokio::spawn(async move {
        let (mut last, mut cursor) = (0, Value::Null);
        loop {
            let Frame::Message(message) = first.frame().await else {
                continue;
            };
            let payload = &message["payload"];
            if message["type"] == "error" {
                assert_eq!(message["id"], "a");
                assert_eq!(payload[0]["extensions"]["code"], "RATE_LIMITED", "{message}");
                assert!(
                    payload[0]["extensions"]["retryAfterSeconds"].as_u64() > Some(0),
                    "{message}"
                );
                break (last, cursor, first);
            }
            assert_eq!(sequence(payload), last + 1);
            (last, cursor) = (last + 1, payload["data"]["creditEntryPosted"]["cursor"].clone());
        }
    });
    until(|| {
        app.advance(Duration::from_millis(500));
        reading.is_finished()
    })
    .await;
    let (last, cursor, mut socket) = reading.await.expect("read");
    assert!(
        (3..20).contains(&last),
        "slowed down, then ended: after {last} messages"
    );
    // The socket stays open, and the subscription continues at its position.
    app.advance(Duration::from_mins(10));
    socket.subscribe("b", ENTRIES, json!({ "after": cursor })).await;
    assert_eq!(sequence(&socket.next("b").await), last + 1);
    assert_eq!(sequence(&socket.next("b").await), last + 2);
}

#[tokio::test]
async fn what_a_caller_has_open_is_bounded_over_all_its_connections() {
    let settings = [("limits.cost", "30"), ("live.cost_per_caller", "60")];
    let app = TestApp::start_with(&settings).await;
    let (owner, admin) = (&app.team.owner.client, &app.team.admin.client);
    let (mut one, mut two) = (socket(&app, owner).await, socket(&app, owner).await);
    follow(&mut one, "a").await;
    follow(&mut two, "b").await;
    one.subscribe("c", ENTRIES, json!({})).await;
    let refused = one.message().await;
    assert_eq!((&refused["type"], &refused["id"]), (&json!("error"), &json!("c")));
    let error = &refused["payload"][0];
    assert_eq!(error["extensions"]["code"], "RATE_LIMITED", "{refused}");
    assert!(
        error["message"]
            .as_str()
            .expect("words")
            .contains("complete some first")
    );
    let mut stream = EventStream::open(owner, ENTRIES, json!({})).await.expect("a stream");
    match stream.any().await {
        Some(StreamEvent::Next(payload, _)) => {
            assert_eq!(payload["errors"][0]["extensions"]["code"], "RATE_LIMITED", "{payload}");
        }
        event => panic!("a refusal, not {event:?}"),
    }
    let mut other = socket(&app, admin).await;
    follow(&mut other, "a").await;
    two.complete("b").await;
    // The socket processes its messages in order: after the answer to this, the operation is gone.
    two.send(&json!({"type": "ping"})).await;
    assert_eq!(two.message().await["type"], "pong");
    follow(&mut one, "c").await;
}

/// Returns the processor time of this process so far.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let (_, after_name) = stat.rsplit_once(')').expect("a name");
    let ticks = after_name.split_whitespace().skip(11).take(2);
    Duration::from_millis(ticks.map(|ticks| ticks.parse::<u64>().expect("a number") * 10).sum())
}

/// The time of one small change that a plain member follows with a hundred of the most expensive subscriptions; `cargo test
/// --release --
/// --ignored --nocapture what_a_hundred`. The first line is the time when only the start of a subscription was charged.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, which waits"]
async fn what_a_hundred_subscriptions_take() {
    let unbounded = [("limits.rate", "0"), ("live.cost_per_caller", "10000000")];
    let spent = [
        ("limits.rate", "1"),
        ("limits.burst", "200000"),
        ("live.cost_per_caller", "10000000"),
    ];
    let in_production = [("limits.rate", "100000")];
    for (name, settings) in [
        ("not charged", &unbounded[..]),
        ("charged, and the allowance is spent", &spent),
        ("in production", &in_production),
    ] {
        let app = TestApp::start_with(settings).await;
        app.top_up(1_000).await;
        for number in 0..100 {
            let id = super::book(&app, &app.team.member.id(), &format!("s{number}")).await;
            super::complete(&app, &id).await;
        }
        let mut socket = socket(&app, &app.team.member.client).await;
        let mut followed = 0;
        for number in 0..100 {
            // Each has a different document, so that nothing is shared.
            let query = format!(
                "subscription {{ accountUpdated {{ signal account {{ a{number}: creditLog(first: 100) {{ nodes {{ id kind amount \
                 balanceAfter description occurredAt actor {{ label }} member {{ name }} session {{ title status }} }} }} }} }} }}"
            );
            socket.subscribe(&number.to_string(), &query, json!({})).await;
            let answer = socket.message().await;
            followed += usize::from(answer["payload"]["data"]["accountUpdated"]["signal"] == "CAUGHT_UP");
        }
        let begun = processor_time();
        grant(&app, &app.team, "one", 1).await;
        let mut messages = 0;
        while tokio::time::timeout(Duration::from_secs(5), socket.message())
            .await
            .is_ok()
        {
            messages += 1;
        }
        println!(
            "{name}: {followed} subscriptions, {messages} messages, {:?} of processor time",
            processor_time().saturating_sub(begun)
        );
    }
}
