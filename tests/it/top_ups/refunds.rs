//! Requested refunds: exactly the named credits, never more than is unspent, and held until the gateway has responded.

use ledgerbell::adapters::gateway::simulated::SimulatedGateway;
use serde_json::{Value, json};

use super::{Buyer, object_of};
use crate::harness::{Dice, TestApp};

async fn refund(app: &TestApp, top_up: &Value, credits: Option<&str>, key: &str, more: Value) -> Value {
    let mut input =
        json!({ "topUpId": top_up["id"], "credits": credits, "reason": "Not needed", "idempotencyKey": key });
    if let (Some(input), Value::Object(more)) = (input.as_object_mut(), more) {
        input.extend(more);
    }
    app.platform
        .mutate("refundTopUp", "topUp { id creditsReversed status }", input)
        .await
}

async fn accept(app: &TestApp, top_up: &Value, credits: Option<&str>, key: &str, more: Value) {
    let payload = refund(app, top_up, credits, key, more).await;
    assert_eq!(payload["userErrors"], json!([]), "{payload}");
}

/// Returns the code of a refusal that changed nothing.
async fn refuse(buyer: &Buyer<'_>, top_up: &Value, credits: Option<&str>, key: &str) -> (String, String) {
    let before = buyer.balance().await;
    let payload = refund(buyer.app, top_up, credits, key, json!({})).await;
    assert_eq!(buyer.balance().await, before, "a refusal changes nothing");
    let error = &payload["userErrors"][0];
    let text = |field: &str| error[field].as_str().unwrap_or_default().to_owned();
    (text("code"), text("message"))
}

async fn adjust(app: &TestApp, amount: &str, reverses: Option<&Value>, key: &str) -> Value {
    let input = json!({ "accountId": app.team.id(), "amount": amount, "description": "By hand", "reversesEntryId": reverses,
        "idempotencyKey": key });
    app.platform.mutate("adjustCredits", "", input).await["userErrors"].clone()
}

async fn first_entry(buyer: &Buyer<'_>) -> Value {
    let log = "{ account { creditLog(order: OLDEST_FIRST) { nodes { id } } } }";
    let log = buyer.client.query(log, json!({})).await;
    log.at("/account/creditLog/nodes/0/id").clone()
}

/// Returns all amounts of the log, oldest first.
async fn log(buyer: &Buyer<'_>) -> Vec<String> {
    let query = "{ account { creditLog(order: OLDEST_FIRST, first: 100) { nodes { amount } } } }";
    let answer = buyer.client.query(query, json!({})).await;
    let nodes = answer
        .at("/account/creditLog/nodes")
        .as_array()
        .expect("a list")
        .clone();
    let amounts = nodes
        .iter()
        .map(|node| node["amount"].as_str().expect("a text").to_owned());
    amounts.collect()
}

async fn price(app: &TestApp, price: &str) {
    let input = json!({ "accountId": app.team.id(), "creditPrice": price });
    let changed = app.platform.mutate("updateAccount", "", input).await;
    assert_eq!(changed["userErrors"], json!([]));
}

/// Returns the money of the only object that was returned and did not come back.
fn gone(gateway: &SimulatedGateway) -> i64 {
    let objects = gateway.objects();
    objects
        .iter()
        .map(|object| object.returned_minor - object.came_back_minor)
        .sum()
}

#[tokio::test]
async fn refunds_of_one_credit_each_take_one_credit_each_and_all_of_the_money() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    price(&app, "1.111111").await;
    let paid = buyer.buy_with("card_ok", "9").await;
    assert_eq!(paid["price"]["amount"], "10.00");
    for part in 1..=9 {
        accept(&app, &paid, Some("1"), &format!("part {part}"), json!({})).await;
        app.settle().await;
        let balance = buyer.balance().await;
        let left = (9 - part).to_string();
        assert_eq!((&balance["posted"], &balance["held"]), (&json!(left), &json!("0")));
    }
    assert_eq!(gone(app.gateway()), 1_000);
    assert_eq!(log(&buyer).await, [vec!["9"], vec!["-1"; 9]].concat());
    assert_eq!(buyer.top_up(&paid["id"]).await["status"], "REVERSED");
    app.finish().await;
}

#[tokio::test]
async fn the_last_unused_credits_are_refunded_and_nothing_else() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    price(&app, "1.111111").await;
    let paid = buyer.buy_with("card_ok", "9").await;
    assert_eq!(adjust(&app, "-7", None, "used").await, json!([]));
    accept(&app, &paid, None, "rest", json!({})).await;
    app.settle().await;
    let balance = buyer.balance().await;
    assert_eq!(
        (&balance["posted"], &balance["available"]),
        (&json!("0"), &json!("0")),
        "never below zero"
    );
    assert_eq!(log(&buyer).await, ["9", "-7", "-2"]);
    assert_eq!(gone(app.gateway()), 222);
    app.finish().await;
}

#[tokio::test]
async fn parts_that_are_worth_less_than_a_cent_take_what_they_name() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    price(&app, "0.0004").await;
    let paid = buyer.buy_with("card_ok", "50000").await;
    accept(&app, &paid, Some("13"), "a", json!({})).await;
    app.settle().await;
    assert_eq!(log(&buyer).await, ["50000", "-13"]);
    assert_eq!(gone(app.gateway()), 1);
    // Half a cent more than was refunded is not enough for another cent.
    let (code, message) = refuse(&buyer, &paid, Some("1"), "b").await;
    assert_eq!(code, "VALIDATION", "{message}");
    app.finish().await;
}

#[tokio::test]
async fn credits_that_an_operator_took_are_not_paid_for_by_the_credits_that_are_left() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let paid = buyer.buy_with("card_ok", "24").await;
    let entry = first_entry(&buyer).await;
    assert_eq!(adjust(&app, "-9", Some(&entry), "c").await, json!([]));
    accept(&app, &paid, Some("15"), "a", json!({})).await;
    app.settle().await;
    assert_eq!(gone(app.gateway()), 1_500);
    assert_eq!(buyer.balance().await["posted"], "0");
    assert_eq!(log(&buyer).await, ["24", "-9", "-15"]);
    app.finish().await;
}

#[tokio::test]
async fn what_was_spent_is_refunded_by_leave_alone() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let paid = buyer.buy_with("card_ok", "40").await;
    assert_eq!(adjust(&app, "-40", None, "used").await, json!([]));
    for credits in [None, Some("1"), Some("40")] {
        let (code, message) = refuse(&buyer, &paid, credits, "spent").await;
        assert_eq!(code, "REFUND_EXCEEDS_CHARGE");
        assert!(message.contains("allowDebt"), "{message}");
    }
    accept(&app, &paid, Some("6"), "debt", json!({ "allowDebt": true })).await;
    app.settle().await;
    assert_eq!(buyer.balance().await["posted"], "-6");
    assert_eq!(gone(app.gateway()), 600);
    app.finish().await;
}

#[tokio::test]
async fn credits_of_other_top_ups_do_not_make_a_spent_one_refundable() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let first = buyer.buy_with("card_ok", "12").await;
    app.advance(std::time::Duration::from_secs(1));
    let second = buyer.create("30", "second").await;
    app.settle().await;
    assert_eq!(adjust(&app, "-10", None, "used").await, json!([]));
    let (code, message) = refuse(&buyer, &first, Some("3"), "a").await;
    assert_eq!(code, "REFUND_EXCEEDS_CHARGE");
    assert!(
        message.contains("at most 2 credits of this top-up are unspent"),
        "{message}"
    );
    accept(&app, &first, None, "b", json!({})).await;
    accept(&app, &second, None, "c", json!({})).await;
    app.settle().await;
    assert_eq!(buyer.balance().await["posted"], "0");
    assert_eq!(gone(app.gateway()), 3_200);
    app.finish().await;
}

#[tokio::test]
async fn refunds_under_way_count_and_their_credits_cannot_be_spent() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let paid = buyer.buy_with("card_ok", "20").await;
    accept(&app, &paid, Some("8"), "a", json!({})).await;
    accept(&app, &paid, Some("7"), "b", json!({})).await;
    let balance = buyer.balance().await;
    assert_eq!(
        (&balance["posted"], &balance["held"], &balance["available"]),
        (&json!("20"), &json!("15"), &json!("5"))
    );
    let (code, _) = refuse(&buyer, &paid, Some("6"), "c").await;
    assert_eq!(code, "REFUND_EXCEEDS_CHARGE");
    let session = |credits: &str, key: &str| app.booking(credits, key, 5..65);
    let refused = app.platform.mutate("bookSession", "", session("6", "s")).await;
    assert_eq!(refused["userErrors"][0]["code"], "INSUFFICIENT_CREDITS");
    let booked = app.platform.mutate("bookSession", "", session("5", "t")).await;
    assert_eq!(booked["userErrors"], json!([]));
    // An operator cannot take credits of a pending refund either.
    let entry = first_entry(&buyer).await;
    assert_eq!(
        adjust(&app, "-6", Some(&entry), "x").await[0]["code"],
        "REFUND_EXCEEDS_CHARGE"
    );
    app.settle().await;
    let balance = buyer.balance().await;
    assert_eq!((&balance["posted"], &balance["held"]), (&json!("5"), &json!("5")));
    assert_eq!(gone(app.gateway()), 1_500);
    app.finish().await;
}

#[tokio::test]
async fn a_refund_that_the_gateway_refuses_leaves_the_credits_free() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let paid = buyer.buy_with("card_ok", "20").await;
    let object = object_of(&paid);
    accept(&app, &paid, Some("14"), "a", json!({})).await;
    // An operator has refunded directly at the gateway before.
    assert!(app.gateway().refund_directly(object, 1_100));
    app.settle().await;
    let balance = buyer.balance().await;
    assert_eq!((&balance["posted"], &balance["held"]), (&json!("9"), &json!("0")));
    assert_eq!(gone(app.gateway()), 1_100);
    accept(&app, &paid, None, "b", json!({})).await;
    app.settle().await;
    assert_eq!(
        (gone(app.gateway()), &buyer.balance().await["posted"]),
        (2_000, &json!("0"))
    );
    app.finish().await;
}

#[tokio::test]
async fn an_account_that_is_frozen_or_closed_gets_money_back_by_leave_alone() {
    for (halt, code) in [("freezeAccount", "ACCOUNT_FROZEN"), ("closeAccount", "ACCOUNT_CLOSED")] {
        let app = TestApp::start().await;
        let buyer = Buyer::of(&app);
        let paid = buyer.buy_with("card_ok", "11").await;
        let type_name = format!("{}{}Input", halt[..1].to_uppercase(), &halt[1..]);
        let halting = format!("mutation($input: {type_name}!) {{ {halt}(input: $input) {{ userErrors {{ code }} }} }}");
        let input = json!({ "accountId": app.team.id(), "reason": "Unpaid" });
        let halted = app
            .platform
            .query(&halting, json!({ "input": input }))
            .await
            .only_field();
        assert_eq!(halted["userErrors"], json!([]));
        assert_eq!(refuse(&buyer, &paid, None, "a").await.0, code);
        accept(&app, &paid, None, "a", json!({ "allowInactive": true })).await;
        app.settle().await;
        assert_eq!(
            (gone(app.gateway()), &buyer.balance().await["posted"]),
            (1_100, &json!("0"))
        );
        app.finish().await;
    }
}

#[tokio::test]
async fn the_leave_that_was_given_is_part_of_what_a_key_is_bound_to() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let paid = buyer.buy_with("card_ok", "20").await;
    accept(&app, &paid, Some("3"), "a", json!({})).await;
    accept(&app, &paid, Some("3"), "a", json!({ "allowDebt": false })).await;
    let other = refund(&app, &paid, Some("3"), "a", json!({ "allowDebt": true })).await;
    assert_eq!(other["userErrors"][0]["code"], "IDEMPOTENCY_KEY_REUSED");
    app.settle().await;
    assert_eq!(buyer.balance().await["posted"], "17");
    app.finish().await;
}

/// Any sequence of partial refunds, corrections, refunds at the gateway, and refunds that fail later.
#[tokio::test]
async fn no_sequence_of_refunds_gives_more_money_or_takes_more_credits_than_there_were() {
    for seed in 1..=6 {
        let app = TestApp::start().await;
        let buyer = Buyer::of(&app);
        let mut dice = Dice::new(seed);
        price(&app, dice.pick(&["1.428571", "0.37", "0.0731"])).await;
        let paid = buyer.buy_with("card_ok", "70").await;
        let object = object_of(&paid);
        let entry = first_entry(&buyer).await;
        let whole: i64 = app.gateway().objects().iter().map(|object| object.amount_minor).sum();
        let mut named = Vec::new();
        for step in 0..14 {
            let key = format!("step {step}");
            match dice.below(6) {
                0 => {
                    app.gateway().refund_directly(object, 1 + dice.number(90));
                }
                1 => {
                    adjust(&app, &format!("-{}", 1 + dice.below(4)), Some(&entry), &key).await;
                }
                2 => {
                    app.gateway().fail_refund(object);
                }
                _ => {
                    let credits = format!("{}.{}", 1 + dice.below(12), 1 + dice.below(9));
                    let before = log(&buyer).await.len();
                    let asked = refund(&app, &paid, Some(&credits), &key, json!({})).await;
                    if asked["userErrors"] == json!([]) {
                        app.settle().await;
                        let after = log(&buyer).await;
                        assert_eq!(after[before..], [format!("-{credits}")], "seed {seed}, {key}");
                        named.push(credits);
                    }
                }
            }
            app.settle().await;
            let balance = buyer.balance().await;
            let posted: f64 = balance["posted"].as_str().expect("a text").parse().expect("a number");
            assert!((0.0..=70.0).contains(&posted), "seed {seed}, {key}: {posted}");
            assert_eq!(balance["held"], "0", "seed {seed}, {key}");
            assert!((0..=whole).contains(&gone(app.gateway())), "seed {seed}, {key}");
        }
        // The rest of both is refunded together.
        let rest = refund(&app, &paid, None, "rest", json!({})).await;
        app.settle().await;
        let posted = buyer.balance().await["posted"].clone();
        if rest["userErrors"] == json!([]) {
            assert_eq!(posted, "0", "seed {seed}");
        }
        assert!(gone(app.gateway()) <= whole && !named.is_empty(), "seed {seed}");
        app.finish().await;
    }
}
