//! What needs a person, in the API: charges whose outcome is unknown, webhooks that were given up, refunds that failed.

use std::time::Duration;

use ledgerbell::adapters::gateway::simulated::Chaos;
use serde_json::{Value, json};

use super::{Buyer, object_of};
use crate::harness::TestApp;

const SETTLE: &str = "mutation($input: SettleTopUpInput!) { settleTopUp(input: $input) {
    topUp { id status } account { id } userErrors { code field } } }";
const UNSETTLED: &str = "{ unsettledTopUps { nodes { unknownSince topUp { id status account { externalId } } } } }";
const WEBHOOKS: &str = "query($first: Int, $after: String) { parkedWebhooks(first: $first, after: $after) {
    nodes { eventId kind objectId status reason tries receivedAt } pageInfo { hasNextPage endCursor } } }";
const RETRY: &str = "mutation($input: RetryWebhookInput!) { retryWebhook(input: $input) {
    webhook { eventId status tries } userErrors { code field } } }";
const FAILED: &str =
    "{ failedRefunds { nodes { at cameBack credits amount { amount currency } reason topUp { id } } } }";

fn gateway_is_down(app: &TestApp) {
    let down = Chaos {
        lost_before: 1_000,
        ..Chaos::default()
    };
    app.gateway().make_trouble(1, Some(down));
}

async fn settle(app: &TestApp, input: Value) -> Value {
    app.platform.query(SETTLE, json!({ "input": input })).await.only_field()
}

#[tokio::test]
async fn a_top_up_whose_outcome_stays_unknown_is_listed_and_settled_once() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_dies_after_charge").await;
    let made = buyer.create("10", "k").await;
    app.services().charging.turn(10).await.expect("works");
    gateway_is_down(&app);
    for _ in 0..30 {
        app.services().charging.turn(10).await.expect("asks");
        app.advance(Duration::from_hours(1));
    }
    let listed = app.platform.query(UNSETTLED, json!({})).await;
    let nodes = listed.at("/unsettledTopUps/nodes");
    assert_eq!(nodes.as_array().map(Vec::len), Some(1), "{nodes}");
    assert_eq!(nodes[0]["topUp"]["id"], made["id"]);
    assert_eq!(nodes[0]["topUp"]["account"]["externalId"], "team");

    let blank = settle(&app, json!({ "topUpId": made["id"], "isCharged": true, "reason": " " })).await;
    assert_eq!(
        blank["userErrors"],
        json!([{ "code": "VALIDATION", "field": ["reason"] }])
    );
    let input = json!({ "topUpId": made["id"], "isCharged": true, "reason": "Seen in the dashboard" });
    let settled = settle(&app, input.clone()).await;
    assert_eq!(settled["userErrors"], json!([]));
    assert_eq!(settled["topUp"]["status"], "SUCCEEDED");
    assert_eq!(settled["account"]["id"], json!(app.team.id()));
    let again = settle(&app, input).await;
    assert_eq!(again["userErrors"][0]["code"], "TOP_UP_NOT_RETRYABLE");
    assert_eq!(again["topUp"]["status"], "SUCCEEDED", "its current state");
    let listed = app.platform.query(UNSETTLED, json!({})).await;
    assert_eq!(listed.at("/unsettledTopUps/nodes"), &json!([]));
    app.gateway().make_trouble(1, None);
    app.settle().await;
    assert_eq!(
        (&buyer.balance().await["posted"], buyer.charges()),
        (&json!("10"), 1),
        "once"
    );
    app.finish().await;
}

#[tokio::test]
async fn a_webhook_that_was_given_up_is_listed_and_processed_again() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let waiting = buyer.buy_with("card_authenticate", "10").await;
    let object = object_of(&waiting);
    assert!(app.gateway().authenticate(object, true));
    app.app().deliver_messages().await.expect("taken in");
    gateway_is_down(&app);
    for _ in 0..12 {
        app.services().webhooks.turn(100).await.expect("tries");
        app.advance(Duration::from_hours(2));
    }
    let listed = app.platform.query(WEBHOOKS, json!({})).await;
    let parked = listed.at("/parkedWebhooks/nodes").as_array().expect("a list").clone();
    assert!(!parked.is_empty(), "{listed:?}");
    for webhook in &parked {
        assert_eq!((&webhook["status"], &webhook["tries"]), (&json!("PARKED"), &json!(10)));
        assert!(
            webhook["reason"].is_string() && webhook["objectId"].is_string(),
            "{webhook}"
        );
    }
    // Page by page, the same.
    let (mut found, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = app
            .platform
            .query(WEBHOOKS, json!({ "first": 1, "after": after }))
            .await;
        found.extend(page.at("/parkedWebhooks/nodes").as_array().expect("a list").clone());
        after = page.at("/parkedWebhooks/pageInfo/endCursor").clone();
        if page.at("/parkedWebhooks/pageInfo/hasNextPage") == &json!(false) {
            break;
        }
    }
    assert_eq!(found, parked);

    app.gateway().make_trouble(1, None);
    for webhook in &parked {
        let input = json!({ "input": { "eventId": webhook["eventId"] } });
        for _ in 0..2 {
            let retried = app.platform.query(RETRY, input.clone()).await.only_field();
            assert_eq!(retried["userErrors"], json!([]));
            assert_eq!(
                (&retried["webhook"]["status"], &retried["webhook"]["tries"]),
                (&json!("PENDING"), &json!(0))
            );
        }
    }
    app.services().webhooks.turn(100).await.expect("works");
    assert_eq!(buyer.top_up(&waiting["id"]).await["status"], "SUCCEEDED");
    assert_eq!(
        app.platform
            .query(WEBHOOKS, json!({}))
            .await
            .at("/parkedWebhooks/nodes"),
        &json!([])
    );
    let unknown = json!({ "input": { "eventId": "evt_unknown" } });
    let refused = app.platform.query(RETRY, unknown).await.only_field();
    assert_eq!(
        refused["userErrors"],
        json!([{ "code": "NOT_FOUND", "field": ["eventId"] }])
    );
    app.finish().await;
}

#[tokio::test]
async fn a_refund_that_the_gateway_refused_is_listed_until_a_later_one_succeeds() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let paid = buyer.buy_with("card_ok", "20").await;
    let object = object_of(&paid);
    let refund = async |credits: Value, key: &str| {
        let input = json!({ "topUpId": paid["id"], "credits": credits, "reason": "Goodwill", "idempotencyKey": key });
        app.platform.apply("refundTopUp", "", input).await;
    };
    refund(json!("14"), "a").await;
    assert!(app.gateway().refund_directly(object, 1_100));
    app.settle().await;
    let listed = app.platform.query(FAILED, json!({})).await;
    let nodes = listed.at("/failedRefunds/nodes");
    assert_eq!(nodes.as_array().map(Vec::len), Some(1), "{nodes}");
    assert_eq!(
        (&nodes[0]["cameBack"], &nodes[0]["credits"]),
        (&json!(false), &json!("14"))
    );
    assert_eq!(
        (&nodes[0]["reason"], &nodes[0]["topUp"]["id"]),
        (&json!("Goodwill"), &paid["id"])
    );
    assert_eq!(nodes[0]["amount"], json!({ "amount": "14.00", "currency": "EUR" }));
    app.advance(Duration::from_mins(1));
    refund(Value::Null, "b").await;
    app.settle().await;
    assert_eq!(
        app.platform.query(FAILED, json!({})).await.at("/failedRefunds/nodes"),
        &json!([])
    );
    app.finish().await;
}
