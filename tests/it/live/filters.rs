//! The filter of a subscription has the same meaning as in the log.

use std::time::Duration;

use serde_json::{Value, json};

use super::{ENTRIES, book, complete, grant};
use crate::harness::{Dice, TestApp};

/// Returns about a third of the values.
fn some(dice: &mut Dice, values: &[Value]) -> Value {
    values.iter().filter(|_| dice.below(3) == 0).cloned().collect()
}

/// Returns a random filter that may match something.
fn random_filter(dice: &mut Dice, app: &TestApp, sessions: &[Value]) -> Value {
    let mut filter = json!({});
    let people: Vec<Value> = [&app.team.member, &app.team.admin, &app.team.owner]
        .map(|person| json!(person.id()))
        .into();
    let instants: Vec<String> = [-40, -25, -10, 0].map(|minutes| app.in_minutes(minutes)).into();
    let instant = |dice: &mut Dice| instants[dice.below(4)].clone();
    for _ in 0..=dice.below(3) {
        match dice.below(9) {
            0 => {
                filter["kinds"] = some(
                    dice,
                    &["TOP_UP", "GRANT", "SESSION", "ADJUSTMENT"].map(|kind| json!(kind)),
                );
            }
            1 => filter["direction"] = json!(if dice.below(2) == 0 { "ADDED" } else { "DEDUCTED" }),
            2 => filter["memberIds"] = some(dice, &people),
            3 => filter["sessionIds"] = some(dice, sessions),
            4 => filter["amount"] = json!({ "min": dice.below(3).to_string(), "max": (2 + dice.below(9)).to_string() }),
            5 => {
                let words = ["lesson", "gift", "Lesson mi", "nothing"];
                filter["search"] = json!(dice.pick(&words));
            }
            6 => filter["occurredAt"] = json!({ "from": instant(dice) }),
            7 => filter["actorKinds"] = some(dice, &["MEMBER", "API_KEY", "SYSTEM"].map(|kind| json!(kind))),
            _ => filter["dates"] = json!({ "from": "2026-03-02", "to": "2026-03-02" }),
        }
    }
    filter
}

async fn activity(app: &TestApp) -> Vec<Value> {
    let mut sessions = Vec::new();
    app.top_up(20).await;
    for (round, person) in [&app.team.member, &app.team.admin, &app.team.member]
        .into_iter()
        .enumerate()
    {
        let session = book(app, &person.id(), &format!("{} {round}", person.member.name)).await;
        complete(app, &session).await;
        sessions.push(json!(session));
        grant(app, &app.team, &format!("gift {round}"), 2).await;
        let input = json!({ "accountId": app.team.id(), "amount": "-2", "description": "Mended",
            "idempotencyKey": format!("mended {round}") });
        app.platform.accept("adjust_credits", input).await;
        app.advance(Duration::from_mins(15));
    }
    sessions
}

#[tokio::test]
async fn a_subscription_tells_of_what_the_log_lists() {
    const LOG: &str = "query($filter: CreditLogFilter) { account {
        creditLog(filter: $filter, first: 100, order: OLDEST_FIRST) { nodes { id } } } }";
    let app = TestApp::start().await;
    let beginning = app
        .team
        .admin
        .client
        .query("{ account { liveCursor } }", json!({}))
        .await;
    let beginning = beginning.at("/account/liveCursor").clone();
    let sessions = activity(&app).await;
    let mut dice = Dice::new(7);
    let (mut listed_something, mut listed_nothing) = (0, 0);
    for round in 0..80 {
        let client = if round % 4 == 3 {
            &app.team.member.client
        } else {
            &app.team.admin.client
        };
        let filter = random_filter(&mut dice, &app, &sessions);
        let listed = client.query(LOG, json!({ "filter": filter })).await;
        let listed: Vec<Value> = listed
            .at("/account/creditLog/nodes")
            .as_array()
            .expect("a list")
            .clone();
        let listed: Vec<Value> = listed.iter().map(|node| node["id"].clone()).collect();
        let variables = json!({ "filter": filter, "after": beginning });
        let mut subscriber = app.subscribe(client, ENTRIES, variables).await;
        let mut told = Vec::new();
        loop {
            let message = subscriber.next().await;
            if message.signal() == "CAUGHT_UP" {
                break;
            }
            told.push(message.event["entry"]["id"].clone());
        }
        assert_eq!(told, listed, "{filter}");
        if listed.is_empty() {
            listed_nothing += 1;
        } else {
            listed_something += 1;
        }
    }
    assert!(
        listed_something > 20 && listed_nothing > 5,
        "{listed_something} {listed_nothing}"
    );
}

#[tokio::test]
async fn a_filter_holds_for_what_is_yet_to_come() {
    let app = TestApp::start().await;
    let filter = json!({ "filter": { "direction": "DEDUCTED", "search": "mia" } });
    let mut subscriber = app.subscribe(&app.team.admin.client, ENTRIES, filter).await;
    subscriber.expect("CAUGHT_UP").await;
    activity(&app).await;
    for _ in 0..2 {
        assert_eq!(subscriber.expect("ITEM").await["entry"]["amount"], json!("-1"));
    }
    assert!(subscriber.is_idle().await);
}
