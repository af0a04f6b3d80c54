//! Whether the rule may charge, and if not why: its state, its findings and its decisions agree.

use std::time::Duration;

use serde_json::{Value, json};

use super::Buyer;
use crate::harness::TestApp;

const RULE: &str = "autoTopUp { enabled state pauseReason trigger paymentMethod { id } }";

async fn rule(buyer: &Buyer<'_>) -> Value {
    let query = format!("{{ account {{ {RULE} }} }}");
    buyer
        .client
        .query(&query, json!({}))
        .await
        .at("/account/autoTopUp")
        .clone()
}

async fn update(buyer: &Buyer<'_>, input: Value) -> Value {
    buyer.accept("updateAutoTopUp", RULE, input).await["autoTopUp"].clone()
}

async fn switch_on(buyer: &Buyer<'_>, trigger: &str, amount: &str, cap: Option<&str>) {
    let on = json!({ "enabled": true, "trigger": trigger, "amount": amount, "monthlyCap": cap, "consent": true });
    update(buyer, on).await;
}

async fn price(app: &TestApp, price: &str) {
    let input = json!({ "accountId": app.team.id(), "creditPrice": price });
    let changed = app.platform.mutate("updateAccount", "", input).await;
    assert_eq!(changed["userErrors"], json!([]));
}

async fn remove(buyer: &Buyer<'_>, card: &str) {
    let input = json!({ "paymentMethodId": card });
    buyer.accept("removePaymentMethod", "paymentMethod { id }", input).await;
}

async fn findings(app: &TestApp) -> Vec<Value> {
    let query = "{ account { troubleshooting { code cause } } }";
    let answer = app.team.admin.client.query(query, json!({})).await;
    answer
        .at("/account/troubleshooting")
        .as_array()
        .expect("a list")
        .clone()
}

fn attempts(top_ups: &[Value]) -> usize {
    top_ups
        .iter()
        .map(|one| one["attempts"].as_array().map_or(0, Vec::len))
        .sum()
}

#[tokio::test]
async fn switching_off_and_lowering_always_work() {
    for (dearer, amount) in [("4", "12"), ("0.03", "12")] {
        let app = TestApp::start().await;
        let buyer = Buyer::of(&app);
        app.top_up(90).await;
        buyer.add_card("card_ok").await;
        switch_on(&buyer, "15", amount, Some("40")).await;
        // Above the cap, or below what the gateway charges.
        price(&app, dearer).await;
        assert_eq!(update(&buyer, json!({ "trigger": "9" })).await["trigger"], "9");
        update(&buyer, json!({ "monthlyCap": "30" })).await;
        assert_eq!(update(&buyer, json!({ "enabled": false })).await["enabled"], false);
        let on = json!({ "enabled": true, "consent": true });
        let (code, _) = buyer.refuse("updateAutoTopUp", RULE, on).await;
        assert_eq!(code, if dearer == "4" { "CAP_TOO_LOW" } else { "VALIDATION" });
        assert_eq!(rule(&buyer).await["enabled"], false);
        app.finish().await;
    }
}

#[tokio::test]
async fn a_card_past_its_date_shows_as_the_reason() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    app.top_up(90).await;
    buyer.add_card("card_ok").await;
    switch_on(&buyer, "15", "12", None).await;
    assert_eq!(rule(&buyer).await["state"], "ACTIVE");
    app.advance(Duration::from_hours(24 * 366 * 14));
    let shown = rule(&buyer).await;
    assert_eq!(
        (&shown["state"], &shown["pauseReason"]),
        (&json!("PAUSED"), &json!("PAYMENT_METHOD_EXPIRED"))
    );
}

#[tokio::test]
async fn fifteen_declines_show_as_the_reason_and_as_a_finding() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_declined").await;
    for number in 0..15 {
        buyer.create("11", &format!("try {number}")).await;
        app.settle().await;
    }
    app.advance(Duration::from_hours(30));
    let failed = buyer.top_ups().await[0].clone();
    assert_eq!(
        (&failed["failure"]["retryable"], &failed["failure"]["nextStep"]),
        (&json!(false), &json!("UPDATE_PAYMENT_METHOD"))
    );
    switch_on(&buyer, "15", "12", None).await;
    app.settle().await;
    let shown = rule(&buyer).await;
    assert_eq!(
        (&shown["state"], &shown["pauseReason"]),
        (&json!("PAUSED"), &json!("TOO_MANY_DECLINES"))
    );
    let found = findings(&app).await;
    let found = found.iter().find(|finding| finding["code"] == "PAYMENT_METHOD_MISSING");
    let cause = found.expect("a finding")["cause"].as_str().expect("words").to_owned();
    assert!(cause.contains("declined 15 times"), "{cause}");
    assert_eq!(attempts(&buyer.top_ups().await), 15);
}

#[tokio::test]
async fn the_rule_moves_to_another_card_only_in_place_of_a_refused_one() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let own = buyer.add_card("card_ok-1").await;
    app.top_up(50).await;
    app.advance(Duration::from_mins(1));
    switch_on(&buyer, "5", "12", None).await;
    let input = json!({ "gatewayToken": "card_ok-2", "makeDefault": true });
    let other = buyer.accept("addPaymentMethod", "paymentMethod { id }", input).await;
    let other = other["paymentMethod"]["id"].as_str().expect("an id").to_owned();
    update(&buyer, json!({ "paymentMethodId": own })).await;
    remove(&buyer, &own).await;
    let shown = rule(&buyer).await;
    assert_eq!(
        (&shown["pauseReason"], &shown["paymentMethod"]),
        (&json!("PAYMENT_METHOD_MISSING"), &Value::Null),
        "nobody agreed to the other card"
    );
    // A lower value does not select it either; consent does.
    assert_eq!(
        update(&buyer, json!({ "trigger": "4" })).await["paymentMethod"],
        Value::Null
    );
    let agreed = update(&buyer, json!({ "paymentMethodId": other })).await;
    assert_eq!(agreed["state"], "ACTIVE");
}

#[tokio::test]
async fn removing_a_refused_card_ends_the_pause_that_is_about_it() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let good = buyer.add_card("card_ok").await;
    let input = json!({ "gatewayToken": "card_blocked", "makeDefault": false });
    let refused = buyer.accept("addPaymentMethod", "paymentMethod { id }", input).await;
    let refused = refused["paymentMethod"]["id"].as_str().expect("an id").to_owned();
    let on = json!({ "enabled": true, "trigger": "5", "amount": "12", "consent": true, "paymentMethodId": refused });
    update(&buyer, on).await;
    app.settle().await;
    assert_eq!(rule(&buyer).await["pauseReason"], "CARD_REFUSED");
    remove(&buyer, &refused).await;
    let shown = rule(&buyer).await;
    assert_eq!(
        (&shown["state"], &shown["paymentMethod"]["id"]),
        (&json!("ACTIVE"), &json!(good))
    );
    app.settle().await;
    assert_eq!(buyer.charges(), 1);
}

#[tokio::test]
async fn a_failing_top_up_that_is_retried_or_canceled_is_not_followed_by_another_one_at_once() {
    for name in ["retryTopUp", "cancelTopUp"] {
        let app = TestApp::start().await;
        let buyer = Buyer::of(&app);
        buyer.add_card("card_declined").await;
        switch_on(&buyer, "5", "12", None).await;
        app.advance(Duration::from_secs(1));
        app.settle().await;
        let failing = buyer.top_ups().await;
        assert_eq!((failing.len(), attempts(&failing)), (1, 1));
        let mut input = json!({ "topUpId": failing[0]["id"] });
        if name == "retryTopUp" {
            input["idempotencyKey"] = json!("again");
        }
        buyer.accept(name, "topUp { id }", input).await;
        for _ in 0..3 {
            app.settle().await;
            app.advance(Duration::from_mins(10));
        }
        let made = if name == "retryTopUp" { 2 } else { 1 };
        let all = buyer.top_ups().await;
        assert_eq!((all.len(), attempts(&all)), (1, made), "{name}");
        app.advance(Duration::from_hours(2));
        app.settle().await;
        assert_eq!(buyer.top_ups().await.len(), 2, "{name}: an hour later it is tried anew");
    }
}

#[tokio::test]
async fn what_the_cap_kept_back_is_bought_when_the_month_begins() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_ok").await;
    switch_on(&buyer, "5", "12", Some("13")).await;
    app.settle().await;
    assert_eq!(buyer.charges(), 1);
    let spend = json!({ "accountId": app.team.id(), "amount": "-12", "description": "Used", "idempotencyKey": "s" });
    app.advance(Duration::from_mins(1));
    app.platform.apply("adjustCredits", "", spend).await;
    app.settle().await;
    // The clock is at 2 March. With pauses of up to an hour, the evaluation would be late.
    let resets = buyer
        .client
        .query("{ account { autoTopUp { capResetsAt } } }", json!({}))
        .await;
    let resets = resets
        .at("/account/autoTopUp/capResetsAt")
        .as_str()
        .expect("an instant")
        .to_owned();
    for _ in 0..40 {
        app.advance(Duration::from_hours(23));
        app.settle().await;
        if app.in_minutes(23 * 60) >= resets {
            break;
        }
    }
    while app.in_minutes(1) < resets {
        app.advance(Duration::from_mins(1));
        if app.in_minutes(7) > resets {
            app.settle().await;
        }
    }
    assert_eq!(buyer.charges(), 1, "the month is not over");
    app.advance(Duration::from_mins(1));
    app.settle().await;
    assert_eq!(buyer.charges(), 2, "and now it is: {resets}");
}
