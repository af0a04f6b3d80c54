//! What is sent and in which order, without gaps and duplicates.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{ACCOUNT, BALANCE, ENTRIES, SESSIONS, book, complete, grant, sequence, sequences};
use crate::harness::TestApp;

#[tokio::test]
async fn entries_are_told_as_they_are_posted() {
    let app = TestApp::start().await;
    let mut subscriber = app.subscribe(&app.team.admin.client, ENTRIES, json!({})).await;
    let caught_up = subscriber.expect("CAUGHT_UP").await;
    assert_eq!(caught_up["entry"], json!(null));
    assert!(subscriber.is_idle().await);
    app.top_up(5).await;
    app.top_up(7).await;
    let first = subscriber.expect("ITEM").await;
    assert_eq!(
        (&first["entry"]["sequence"], &first["entry"]["amount"]),
        (&json!("1"), &json!("5"))
    );
    assert_eq!(first["replayed"], json!(false));
    let second = subscriber.expect("ITEM").await;
    assert_eq!(second["entry"]["amount"], json!("7"));
    assert_eq!(second["balance"]["posted"], json!("12"));
    assert!(subscriber.is_idle().await);
}

#[tokio::test]
async fn one_who_comes_back_is_told_what_was_missed_and_then_what_happens() {
    let app = TestApp::start().await;
    let client = &app.team.admin.client;
    let cursor = client.query("{ account { liveCursor } }", json!({})).await;
    let cursor = cursor.at("/account/liveCursor").clone();
    grant(&app, &app.team, "early", 40).await;
    let mut subscriber = app.subscribe(client, ENTRIES, json!({ "after": cursor })).await;
    for expected in 1..=40 {
        let event = subscriber.expect("ITEM").await;
        assert_eq!(sequence(&event["entry"]), expected);
        assert_eq!(event["replayed"], json!(true));
    }
    subscriber.expect("CAUGHT_UP").await;
    grant(&app, &app.team, "late", 1).await;
    let event = subscriber.expect("ITEM").await;
    assert_eq!((sequence(&event["entry"]), &event["replayed"]), (41, &json!(false)));
    let cursor = subscriber.cursor.clone();
    drop(subscriber);
    let mut subscriber = app.subscribe(client, ENTRIES, json!({ "after": cursor })).await;
    subscriber.expect("CAUGHT_UP").await;
    assert!(subscriber.is_idle().await, "nothing is told twice");
}

#[tokio::test]
async fn under_many_writers_all_see_all_in_order() {
    let app = TestApp::start().await;
    let other = app.another_team("other").await;
    let mut subscribers = Vec::new();
    for client in [
        &app.team.admin.client,
        &app.team.owner.client,
        &app.platform,
        &app.platform,
    ] {
        let document = ENTRIES.replace(
            "after: $after,",
            &format!("accountId: \"{}\", after: $after,", app.team.id()),
        );
        let mut subscriber = app.subscribe(client, &document, json!({})).await;
        subscriber.expect("CAUGHT_UP").await;
        subscribers.push(subscriber);
    }
    let writers = (0..6).map(|writer| {
        let (app, other) = (&app, &other);
        async move {
            grant(app, &app.team, &format!("writer {writer}"), 30).await;
            grant(app, other, &format!("writer {writer}"), 5).await;
            app.top_up(1).await;
        }
    });
    let readers = subscribers.iter_mut().map(|subscriber| sequences(subscriber, 186));
    let (_, told) = tokio::join!(join_all(writers), join_all(readers));
    for sequences in told {
        assert_eq!(sequences, (1..=186).collect::<Vec<i64>>());
    }
    for subscriber in &mut subscribers {
        assert!(subscriber.is_idle().await);
    }
}

/// A slow subscriber is behind the events in memory, and loses nothing. The table is read in pages.
#[tokio::test]
async fn f62_one_who_is_slow_loses_nothing_and_holds_nobody_up() {
    let app = TestApp::start().await;
    let client = &app.team.admin.client;
    let mut slow = app.subscribe(client, ENTRIES, json!({})).await;
    let mut quick = app.subscribe(client, ENTRIES, json!({})).await;
    slow.expect("CAUGHT_UP").await;
    quick.expect("CAUGHT_UP").await;
    for round in 0..5_i64 {
        grant(&app, &app.team, &format!("round {round}"), 100).await;
        let expected: Vec<i64> = (round * 100 + 1..=round * 100 + 100).collect();
        assert_eq!(sequences(&mut quick, 100).await, expected);
    }
    let before = app.app().database().statements();
    assert_eq!(sequences(&mut slow, 500).await, (1..=500).collect::<Vec<i64>>());
    let statements = app.app().database().statements() - before;
    // One by one, it would be two per message. Loaders that wait their millisecond may see a step in parts.
    assert!(statements <= 200, "{statements} statements for 500 events");
    assert!(slow.is_idle().await && quick.is_idle().await);
}

/// A client that disconnects in any state leaves nothing behind.
#[tokio::test]
async fn f61_a_dropped_subscription_is_gone() {
    let app = TestApp::start().await;
    let hub = app.services().events.hub();
    let client = &app.team.admin.client;
    let fresh = app.subscribe(client, ENTRIES, json!({})).await;
    let mut idle = app.subscribe(client, BALANCE, json!({})).await;
    idle.expect("CAUGHT_UP").await;
    assert!(idle.is_idle().await);
    let mut told = app
        .subscribe(&app.platform, BALANCE, json!({ "accountId": app.team.id() }))
        .await;
    told.expect("CAUGHT_UP").await;
    assert_eq!(hub.listeners(), 3);
    app.top_up(1).await;
    assert_eq!(told.expect("ITEM").await["balance"]["posted"], json!("1"));
    for (left, subscriber) in vec![fresh, idle, told].into_iter().enumerate() {
        drop(subscriber);
        assert_eq!(hub.listeners(), 2 - left);
    }
    let refused = app.try_subscribe(client, ENTRIES, json!({ "after": "x" })).await;
    assert!(refused.is_err());
    assert_eq!(hub.listeners(), 0);
}

#[tokio::test]
async fn the_balance_is_told_once_for_each_version() {
    let app = TestApp::start().await;
    let mut subscriber = app.subscribe(&app.team.member.client, BALANCE, json!({})).await;
    let caught_up = subscriber.expect("CAUGHT_UP").await;
    assert_eq!(
        (&caught_up["balance"], &caught_up["account"]),
        (&json!(null), &json!(null))
    );
    app.top_up(10).await;
    let event = subscriber.expect("ITEM").await;
    assert_eq!(
        (&event["balance"]["posted"], &event["balance"]["version"]),
        (&json!("10"), &json!("1"))
    );
    assert_eq!(event["account"]["name"], json!("The team"));
    let session = book(&app, &app.team.member.id(), "one").await;
    let event = subscriber.expect("ITEM").await;
    assert_eq!(
        (&event["balance"]["held"], &event["balance"]["version"]),
        (&json!("1"), &json!("2"))
    );
    complete(&app, &session).await;
    let event = subscriber.expect("ITEM").await;
    assert_eq!(
        (&event["balance"]["posted"], &event["balance"]["version"]),
        (&json!("9"), &json!("3"))
    );
    assert!(subscriber.is_idle().await);
}

#[tokio::test]
async fn a_session_is_followed_through_its_life() {
    let app = TestApp::start().await;
    app.top_up(10).await;
    let mine = book(&app, &app.team.member.id(), "mine").await;
    let client = &app.team.admin.client;
    let mut subscriber = app.subscribe(client, SESSIONS, json!({ "sessionId": mine })).await;
    subscriber.expect("CAUGHT_UP").await;
    let another = book(&app, &app.team.admin.id(), "another").await;
    app.advance(Duration::from_mins(121));
    app.settle().await;
    complete(&app, &another).await;
    complete(&app, &mine).await;
    let event = subscriber.expect("ITEM").await;
    assert_eq!(
        (&event["status"], &event["session"]["status"]),
        (&json!("PROCESSING"), &json!("COMPLETED"))
    );
    let event = subscriber.expect("ITEM").await;
    assert_eq!(
        (&event["status"], &event["session"]["id"]),
        (&json!("COMPLETED"), &json!(mine))
    );
    assert_eq!(event["session"]["member"]["name"], json!("Mia"));
    assert!(subscriber.is_idle().await, "nothing of the other session");
}

#[tokio::test]
async fn a_top_up_is_told_with_the_status_it_came_to() {
    let app = TestApp::start().await;
    let document = "subscription { topUpUpdated { cursor signal replayed status topUp { id status credits } } }";
    let mut subscriber = app.subscribe(&app.team.admin.client, document, json!({})).await;
    subscriber.expect("CAUGHT_UP").await;
    app.top_up(5).await;
    let event = subscriber.expect("ITEM").await;
    assert_eq!(
        (&event["status"], &event["topUp"]["credits"]),
        (&json!("SUCCEEDED"), &json!("5"))
    );
}

#[tokio::test]
async fn one_stream_tells_of_the_whole_account_in_batches() {
    let app = TestApp::start().await;
    let client = &app.team.admin.client;
    let mut subscriber = app.subscribe(client, ACCOUNT, json!({})).await;
    let caught_up = subscriber.expect("CAUGHT_UP").await;
    assert_eq!(
        (&caught_up["entries"], &caught_up["account"]),
        (&json!([]), &json!(null))
    );
    app.top_up(100).await;
    let session = book(&app, &app.team.member.id(), "one").await;
    app.platform
        .accept(
            "freeze_account",
            json!({ "accountId": app.team.id(), "reason": "A test" }),
        )
        .await;
    let event = subscriber.expect("ITEM").await;
    assert_eq!(event["entries"].as_array().map(Vec::len), Some(1));
    assert_eq!(event["topUps"].as_array().map(Vec::len), Some(1));
    assert_eq!(event["sessions"], json!([{ "id": session, "status": "BOOKED" }]));
    assert_eq!(event["account"]["status"], json!("FROZEN"));
    assert_eq!(event["account"]["liveCursor"], event["cursor"], "to go on from");
    assert!(subscriber.is_idle().await);
    app.platform
        .accept("unfreeze_account", json!({ "accountId": app.team.id() }))
        .await;
    subscriber.expect("ITEM").await;
    grant(&app, &app.team, "many", 250).await;
    let mut told: Vec<i64> = Vec::new();
    while told.len() < 250 {
        let event = subscriber.expect("ITEM").await;
        let entries = event["entries"].as_array().expect("a list");
        assert!(entries.len() <= 100);
        told.extend(entries.iter().map(sequence));
    }
    assert_eq!(told, (2..=251).collect::<Vec<i64>>());
    let mut sessions = app.subscribe(client, ACCOUNT, json!({ "topics": ["SESSIONS"] })).await;
    sessions.expect("CAUGHT_UP").await;
    grant(&app, &app.team, "unheard", 3).await;
    assert!(sessions.is_idle().await, "entries were not asked for");
    complete(&app, &session).await;
    let event = sessions.expect("ITEM").await;
    assert_eq!(
        (&event["entries"], &event["sessions"][0]["status"]),
        (&json!([]), &json!("COMPLETED"))
    );
}

/// An idle subscriber still receives cursors, at most once per half minute, so that a later return is cheap.
#[tokio::test]
async fn a_place_is_told_when_long_nothing_was_of_interest() {
    let app = TestApp::start().await;
    let filter = json!({ "filter": { "kinds": ["EXPIRY"] } });
    let mut subscriber = app.subscribe(&app.team.admin.client, ENTRIES, filter).await;
    subscriber.expect("CAUGHT_UP").await;
    for _ in 0..3 {
        app.top_up(1).await;
        assert!(subscriber.is_idle().await, "too soon");
    }
    app.advance(Duration::from_secs(30));
    assert!(subscriber.is_idle().await, "nothing happened");
    app.top_up(1).await;
    let position = subscriber.expect("POSITION").await;
    assert_eq!(position["entry"], json!(null));
    app.top_up(1).await;
    assert!(subscriber.is_idle().await, "too soon");
    let mut again = app
        .subscribe(&app.team.admin.client, ENTRIES, json!({ "after": position["cursor"] }))
        .await;
    assert_eq!(sequence(&again.expect("ITEM").await["entry"]), 5);
}

#[tokio::test]
async fn pages_of_events_tell_the_same() {
    const PAGE: &str = "query($after: LiveCursor, $topics: [LiveTopic!], $first: Int) { account {
        events(after: $after, topics: $topics, first: $first) { cursor hasMore events {
            cursor signal replayed entries { sequence } sessions { status } topUps { status } } } } }";
    let app = TestApp::start().await;
    let client = &app.team.admin.client;
    let page = async |variables: Value| client.query(PAGE, variables).await.at("/account/events").clone();
    let present = page(json!({})).await;
    assert_eq!((&present["events"], &present["hasMore"]), (&json!([]), &json!(false)));
    app.top_up(10).await;
    let session = book(&app, &app.team.member.id(), "one").await;
    complete(&app, &session).await;
    let mut subscriber = app
        .subscribe(client, ENTRIES, json!({ "after": present["cursor"] }))
        .await;
    let told = sequences(&mut subscriber, 2).await;
    let (mut after, mut paged) = (present["cursor"].clone(), Vec::new());
    loop {
        let some = page(json!({ "after": after, "topics": ["CREDIT_ENTRIES"], "first": 1 })).await;
        let events = some["events"].as_array().expect("a list");
        paged.extend(
            events
                .iter()
                .flat_map(|event| event["entries"].as_array().expect("a list"))
                .map(sequence),
        );
        after = some["cursor"].clone();
        if some["hasMore"] == json!(false) {
            break;
        }
    }
    assert_eq!(paged, told);
    assert_eq!(
        after,
        json!(
            client
                .query("{ account { liveCursor } }", json!({}))
                .await
                .at("/account/liveCursor")
        )
    );
    let all = page(json!({ "after": present["cursor"], "first": 100 })).await;
    let signals = all["events"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|event| &event["signal"]);
    assert!(
        signals.clone().all(|signal| signal == "ITEM") && signals.count() >= 5,
        "{all}"
    );
    let refused = client.query(PAGE, json!({ "after": "x" })).await;
    assert_eq!(refused.error_code(), "BAD_REQUEST");
    let refused = client.query(PAGE, json!({ "first": -7 })).await;
    assert_eq!(refused.error_code(), "BAD_REQUEST");
}
