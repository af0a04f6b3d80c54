//! `explainBalance` returns what the API returned at that time.

use std::collections::BTreeMap;
use std::time::Duration;

use ledgerbell::primitives::clock::Timestamp;
use ledgerbell::primitives::credits::Credits;
use serde_json::{Value, json};

use super::Play;
use crate::harness::TestApp;
use crate::top_ups::Buyer;

const EXPLAIN: &str = "query($at: DateTime) { account { explainBalance(at: $at) { at posted held available sequence \
    lastEntry { sequence balanceAfter } totals { totals { net } } entries(first: 1) { nodes { sequence } totals { net } } \
    holds(first: 100) { nodes { credits since session { id } topUp { id } } pageInfo { hasNextPage } } } } }";

fn credits(value: &Value) -> Credits {
    value.as_str().expect("a text").parse().expect("credits")
}

async fn explain(app: &TestApp, at: Timestamp) -> Value {
    let variables = json!({ "at": at.to_string() });
    let answer = app.team.owner.client.query(EXPLAIN, variables).await;
    answer.at("/account/explainBalance").clone()
}

/// Returns the current figures of the API: posted, held and available.
async fn said(app: &TestApp) -> Vec<Value> {
    let query = "{ account { balance { posted held available } } }";
    let answer = app.team.owner.client.query(query, json!({})).await;
    let balance = answer.at("/account/balance");
    ["posted", "held", "available"]
        .map(|name| balance[name].clone())
        .to_vec()
}

/// Checks that an explanation equals `said`, and that its parts add up to it.
fn check(explained: &Value, said: &[Value]) {
    let figures = ["posted", "held", "available"].map(|name| explained[name].clone());
    assert_eq!(figures.to_vec(), said, "{explained}");
    let sum = |list: &Value, figure: &dyn Fn(&Value) -> Credits| -> Credits {
        list.as_array().expect("a list").iter().map(figure).sum()
    };
    let held = sum(&explained["holds"]["nodes"], &|hold| credits(&hold["credits"]));
    assert_eq!(held, credits(&said[1]), "holds: {explained}");
    assert_eq!(explained["holds"]["pageInfo"]["hasNextPage"], false);
    let posted = sum(&explained["totals"], &|group| credits(&group["totals"]["net"]));
    assert_eq!(posted, credits(&said[0]), "totals by kind: {explained}");
    assert_eq!(credits(&explained["entries"]["totals"]["net"]), posted);
    if explained["lastEntry"].is_null() {
        assert_eq!(explained["sequence"], "0");
    } else {
        assert_eq!(explained["lastEntry"]["balanceAfter"], said[0]);
        assert_eq!(explained["lastEntry"]["sequence"], explained["sequence"]);
        assert_eq!(explained["entries"]["nodes"][0]["sequence"], explained["sequence"]);
    }
}

#[tokio::test]
async fn any_history_is_explained_as_it_was_told() {
    for seed in [7, 77, 777] {
        let app = TestApp::start().await;
        let mut play = Play::new(&app, seed);
        let mut told: BTreeMap<i64, Vec<Value>> = BTreeMap::new();
        told.insert(app.clock.now().millis(), said(&app).await);
        app.advance(Duration::from_mins(1));
        app.top_up(30).await;
        for step in 0..90 {
            // Several changes may have the same instant: the last one counts.
            for _ in 0..=step % 2 {
                play.step().await;
                told.insert(app.clock.now().millis(), said(&app).await);
            }
            play.wait(180);
            // What should expire now has not expired yet, and is still shown.
            told.insert(app.clock.now().millis(), said(&app).await);
            if step == 60 {
                let freeze = json!({ "accountId": app.team.id(), "reason": "Unpaid" });
                app.platform.accept("freeze_account", freeze).await;
            } else if step == 70 {
                app.platform
                    .accept("unfreeze_account", json!({ "accountId": app.team.id() }))
                    .await;
                told.insert(app.clock.now().millis(), said(&app).await);
            }
        }
        assert!(told.len() > 90);
        let held_something = told.values().filter(|said| said[1] != "0").count();
        assert!(held_something > 20, "the history is worth explaining: {held_something}");
        for (at, said) in &told {
            check(&explain(&app, Timestamp::from_millis(*at)).await, said);
        }
        // Between two recorded instants, the figures are those of the first.
        for (at, said) in told.iter().rev().skip(1).step_by(9) {
            let next = told.range(at + 1..).next().expect("a later one");
            check(&explain(&app, Timestamp::from_millis(next.0 - 1)).await, said);
        }
    }
}

#[tokio::test]
async fn a_hold_is_told_with_the_amount_that_it_had() {
    let app = TestApp::start().await;
    app.top_up(50).await;
    let session = app.book(app.booking("10", "book", 600..660)).await;
    let first = app.clock.now();
    app.advance(Duration::from_hours(1));
    let input = json!({
        "sessionId": session, "credits": "25", "startsAt": app.in_minutes(600), "endsAt": app.in_minutes(660),
        "idempotencyKey": "more",
    });
    let moved = app.platform.mutate("rescheduleSession", "", input).await;
    assert_eq!(moved["userErrors"], json!([]));
    let second = app.clock.now();
    app.advance(Duration::from_hours(24 * 5));
    app.settle().await;
    // The session was not resolved in time: its hold was released, and later it is charged after all.
    let between = app.clock.now();
    app.advance(Duration::from_hours(1));
    let input = json!({ "sessionId": session, "idempotencyKey": "late" });
    app.platform.accept("complete_session", input).await;
    for (at, held, since) in [(first, "10", first), (second, "25", second)] {
        let hold = explain(&app, at).await["holds"]["nodes"].clone();
        assert_eq!(hold[0]["credits"], held);
        assert_eq!(hold[0]["since"], json!(since.to_string()));
        assert_eq!(hold[0]["session"]["id"], session);
        assert_eq!(hold[0]["topUp"], Value::Null);
        assert_eq!(hold.as_array().map(Vec::len), Some(1));
    }
    let released = explain(&app, between).await;
    assert_eq!(
        (&released["held"], &released["holds"]["nodes"]),
        (&json!("0"), &json!([]))
    );
    assert_eq!(explain(&app, app.clock.now()).await["posted"], "25");
}

#[tokio::test]
async fn what_a_top_up_holds_is_explained_too() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let disputed = buyer.buy_with("card_disputed", "10").await;
    let at = app.clock.now();
    app.advance(Duration::from_hours(1));
    let object = disputed["attempts"][0]["gatewayReference"]
        .as_str()
        .expect("an object")
        .to_owned();
    assert!(app.gateway().close_dispute(&object, false));
    app.settle().await;
    let explained = explain(&app, at).await;
    check(&explained, &[json!("10"), json!("10"), json!("0")]);
    assert_eq!(explained["holds"]["nodes"][0]["topUp"]["id"], disputed["id"]);
    let now = explain(&app, app.clock.now()).await;
    check(&now, &[json!("0"), json!("0"), json!("0")]);
}

#[tokio::test]
async fn holds_come_by_pages_and_an_instant_to_come_is_refused() {
    let app = TestApp::start().await;
    app.top_up(50).await;
    let mut play = Play::new(&app, 5);
    for _ in 0..7 {
        play.book().await;
        app.advance(Duration::from_mins(1));
    }
    let booked = play.sessions.len();
    let query = "query($at: DateTime, $after: String) { account { explainBalance(at: $at) { holds(first: 3, after: $after) { \
        nodes { session { id } } pageInfo { hasNextPage endCursor } } } } }";
    let at = app.in_minutes(0);
    app.advance(Duration::from_mins(1));
    let (mut after, mut found) = (Value::Null, Vec::new());
    loop {
        let variables = json!({ "at": at, "after": after });
        let answer = app.team.owner.client.query(query, variables).await;
        let page = answer.at("/account/explainBalance/holds").clone();
        let nodes = page["nodes"].as_array().expect("a list");
        found.extend(nodes.iter().map(|hold| hold["session"]["id"].clone()));
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    found.reverse();
    assert_eq!(
        (found.len(), found),
        (booked, play.sessions.clone()),
        "each once, the newest first"
    );
    // A cursor is bound to its instant.
    let other = json!({ "at": app.in_minutes(0), "after": after });
    assert_eq!(
        app.team.owner.client.query(query, other).await.error_code(),
        "BAD_REQUEST"
    );
    let later = json!({ "at": app.in_minutes(1) });
    assert_eq!(
        app.team.owner.client.query(EXPLAIN, later).await.error_code(),
        "BAD_REQUEST"
    );
    let now = app.team.owner.client.query(EXPLAIN, json!({})).await;
    assert_eq!(now.at("/account/explainBalance/at"), &json!(app.in_minutes(0)));
}
