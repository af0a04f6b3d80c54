//! Top-ups while they are charged: each step is sent at once and in order, together with the balance.

use serde_json::{Value, json};

use super::BALANCE;
use crate::harness::{Subscriber, TestApp};
use crate::top_ups::Buyer;

/// Changes of top-ups.
const TOP_UPS: &str = "subscription($topUpId: ID, $after: LiveCursor) {
    topUpUpdated(topUpId: $topUpId, after: $after) {
        cursor signal replayed status
        topUp { id status failure { code nextStep } attempts { number outcome } entry { amount } } } }";

/// Returns the statuses of a top-up until it has this one, without repetitions.
async fn told_until(subscriber: &mut Subscriber, status: &str) -> (Vec<String>, Value) {
    let mut statuses: Vec<String> = Vec::new();
    loop {
        let event = subscriber.expect("ITEM").await;
        assert_eq!(event["replayed"], json!(false));
        statuses.push(event["status"].as_str().expect("a status").to_owned());
        statuses.dedup();
        if event["status"] == status {
            return (statuses, event["topUp"].clone());
        }
    }
}

#[tokio::test]
async fn a_top_up_is_told_from_pending_to_succeeded() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_ok").await;
    let mut top_ups = app.subscribe(buyer.client, TOP_UPS, json!({})).await;
    let mut balances = app.subscribe(buyer.client, BALANCE, json!({})).await;
    top_ups.expect("CAUGHT_UP").await;
    balances.expect("CAUGHT_UP").await;
    let made = buyer.create("25", "k").await;
    let pending = top_ups.expect("ITEM").await;
    assert_eq!(
        (&pending["status"], &pending["topUp"]["id"]),
        (&json!("PENDING"), &made["id"])
    );
    assert_eq!(pending["topUp"]["status"], json!("PENDING"));
    let incoming = balances.expect("ITEM").await;
    assert_eq!(incoming["balance"]["posted"], json!("0"));
    app.settle().await;
    let (statuses, paid) = told_until(&mut top_ups, "SUCCEEDED").await;
    assert_eq!(statuses, ["PROCESSING", "SUCCEEDED"]);
    assert_eq!(paid["entry"], json!({ "amount": "25" }));
    assert_eq!(paid["attempts"], json!([{ "number": 1, "outcome": "SUCCEEDED" }]));
    while balances.expect("ITEM").await["balance"]["posted"] != json!("25") {}
    assert!(top_ups.is_idle().await);
}

#[tokio::test]
async fn a_failed_top_up_is_told_with_its_failure_and_so_is_its_retry() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_declines_once").await;
    let mut subscriber = app.subscribe(buyer.client, TOP_UPS, json!({})).await;
    subscriber.expect("CAUGHT_UP").await;
    let made = buyer.create("10", "k").await;
    app.settle().await;
    let (statuses, failed) = told_until(&mut subscriber, "FAILED").await;
    assert_eq!(statuses, ["PENDING", "PROCESSING", "FAILED"]);
    assert!(failed["failure"]["code"].is_string(), "{failed}");
    assert_eq!(failed["entry"], Value::Null);
    assert!(subscriber.is_idle().await);
    buyer.retry(&made["id"], "again").await;
    app.settle().await;
    let (statuses, paid) = told_until(&mut subscriber, "SUCCEEDED").await;
    assert_eq!(statuses, ["PENDING", "PROCESSING", "SUCCEEDED"]);
    assert_eq!((&paid["id"], &paid["failure"]), (&made["id"], &Value::Null));
}

/// A client that disconnects and returns with a cursor receives each step.
#[tokio::test]
async fn of_one_top_up_all_that_was_missed_is_told() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_ok").await;
    let cursor = buyer.client.query("{ account { liveCursor } }", json!({})).await;
    let cursor = cursor.at("/account/liveCursor").clone();
    let one = buyer.create("10", "one").await;
    buyer.create("20", "two").await;
    app.settle().await;
    let of_one = json!({ "topUpId": one["id"], "after": cursor });
    let mut subscriber = app.subscribe(buyer.client, TOP_UPS, of_one).await;
    let mut statuses: Vec<Value> = Vec::new();
    loop {
        let message = subscriber.next().await;
        if message.signal() == "CAUGHT_UP" {
            break;
        }
        assert_eq!(message.event["topUp"]["id"], one["id"]);
        statuses.push(message.event["status"].clone());
        statuses.dedup();
    }
    assert_eq!(statuses, ["PENDING", "PROCESSING", "SUCCEEDED"]);
}
