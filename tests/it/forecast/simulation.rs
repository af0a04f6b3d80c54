//! What other settings of the rule would have done.

use std::time::Duration;

use sea_orm::{ConnectionTrait as _, Database};
use serde_json::{Value, json};

use super::{Play, use_up};
use crate::harness::{TestApp, elsewhere};
use crate::top_ups::Buyer;

const SIMULATE: &str = "query($trigger: Credits!, $amount: Credits!, $cap: Decimal, $manual: Boolean) { account { \
    simulateAutoTopUp(trigger: $trigger, amount: $amount, monthlyCap: $cap, withManualTopUps: $manual) { from until isExact \
    chargeCount credits cost { amount } months { month charges cost { amount } capReached } charges { at credits price { amount } \
    capped } lowestAvailable timesBelowZero closingAvailable } } }";

async fn simulate(app: &TestApp, settings: Value) -> Value {
    let answer = app.team.admin.client.query(SIMULATE, settings).await;
    answer.at("/account/simulateAutoTopUp").clone()
}

async fn switch_on(buyer: &Buyer<'_>, trigger: &str, amount: &str, cap: &str) {
    let input = json!({ "enabled": true, "trigger": trigger, "amount": amount, "monthlyCap": cap, "consent": true });
    buyer.accept("updateAutoTopUp", "autoTopUp { id }", input).await;
}

/// Returns the real purchases of the rule, oldest first: time, credits and price.
async fn bought(app: &TestApp) -> Vec<Value> {
    let query = "{ account { topUps(filter: { origins: [AUTO] }, order: OLDEST_FIRST, first: 100) { nodes { createdAt credits \
        price { amount } status } } } }";
    let answer = app.team.admin.client.query(query, json!({})).await;
    let nodes = answer.at("/account/topUps/nodes").as_array().expect("a list").clone();
    nodes
        .iter()
        .map(|node| {
            assert_eq!(node["status"], "SUCCEEDED");
            json!([node["createdAt"], node["credits"], node["price"]["amount"]])
        })
        .collect()
}

#[tokio::test]
async fn played_over_its_own_history_the_rule_decides_as_it_did() {
    let mut charges_in_all = 0;
    for (seed, cap) in [
        (3, "60"),
        (33, "10000"),
        (333, "10000"),
        (1, "10000"),
        (2, "10000"),
        (5, "10000"),
    ] {
        let app = TestApp::start().await;
        let buyer = Buyer::of(&app);
        app.top_up(25).await;
        buyer.add_card("card_ok").await;
        switch_on(&buyer, "20", "15", cap).await;
        app.settle().await;
        let mut play = Play::new(&app, seed);
        for _ in 0..80 {
            app.advance(Duration::from_mins(20));
            play.wait(600);
            // Expiry comes before everything else, and the rule evaluates the result.
            app.settle().await;
            app.advance(Duration::from_mins(1));
            play.step().await;
            app.settle().await;
            // The rule waits for this long after a manual top-up.
            app.advance(Duration::from_secs(30));
            app.settle().await;
        }
        let real = bought(&app).await;
        charges_in_all += real.len();
        let settings = json!({ "trigger": "20", "amount": "15", "cap": cap });
        let simulated = simulate(&app, settings).await;
        let charges = simulated["charges"].as_array().expect("a list").iter();
        let charges: Vec<Value> = charges
            .map(|charge| json!([charge["at"], charge["credits"], charge["price"]["amount"]]))
            .collect();
        assert_eq!(charges, real, "seed {seed}");
        assert_eq!(simulated["isExact"], true);
        let available = buyer.balance().await["available"].clone();
        assert_eq!(simulated["closingAvailable"], available);
    }
    assert!(charges_in_all >= 10, "the rule had something to do: {charges_in_all}");
}

#[tokio::test]
async fn settings_are_compared_before_they_are_saved() {
    let app = TestApp::start().await;
    app.top_up(100).await;
    for day in 0..10 {
        app.advance(Duration::from_hours(24));
        use_up(&app, "9", &format!("day {day}")).await;
    }
    app.top_up(50).await;
    let with = async |settings: Value| simulate(&app, settings).await;
    let plain = with(json!({ "trigger": "20", "amount": "30" })).await;
    assert_eq!(
        (&plain["chargeCount"], &plain["lowestAvailable"]),
        (&json!(1), &json!("19"))
    );
    assert_eq!(
        (&plain["cost"]["amount"], &plain["timesBelowZero"]),
        (&json!("30.00"), &json!(0))
    );
    let month = json!([{ "month": "2026-03", "charges": 1, "cost": { "amount": "30.00" }, "capReached": false }]);
    assert_eq!(plain["months"], month);
    // As if no member had bought manually: then the rule also buys the first credits, when the first are used.
    let alone = with(json!({ "trigger": "20", "amount": "30", "manual": false })).await;
    assert_eq!(
        (&alone["chargeCount"], &alone["timesBelowZero"]),
        (&json!(4), &json!(1))
    );
    let capped = with(json!({ "trigger": "20", "amount": "30", "cap": "29" })).await;
    assert_eq!(
        (&capped["chargeCount"], &capped["months"][0]["capReached"]),
        (&json!(0), &json!(true))
    );
    for (settings, field) in [
        (json!({ "trigger": "-1", "amount": "30" }), "trigger"),
        (json!({ "trigger": "1", "amount": "0" }), "amount"),
        (json!({ "trigger": "1", "amount": "1", "cap": "-1" }), "monthlyCap"),
    ] {
        let refused = app.team.admin.client.query(SIMULATE, settings).await;
        assert_eq!(refused.error_code(), "BAD_REQUEST");
        assert!(refused.body.to_string().contains(field), "{}", refused.body);
    }
    assert_eq!(bought(&app).await, Vec::<Value>::new(), "nothing is bought by trying");
}

#[tokio::test]
async fn a_long_history_goes_by_hours() {
    let mut app = TestApp::start().await;
    // The test inserts rows without events.
    app.do_not_verify();
    app.top_up(100).await;
    for day in 0..10 {
        app.advance(Duration::from_hours(24));
        use_up(&app, "9", &format!("day {day}")).await;
    }
    let settings = json!({ "trigger": "20", "amount": "30" });
    let exact = simulate(&app, settings.clone()).await;
    assert_eq!(exact["isExact"], true);
    make_it_long(&app, app.clock.now().millis() - 10 * 24 * 3_600_000 + 3_600_000);
    let coarse = simulate(&app, settings).await;
    assert_eq!(coarse["isExact"], false);
    for figure in ["chargeCount", "cost", "closingAvailable", "timesBelowZero"] {
        assert_eq!(coarse[figure], exact[figure], "{figure}");
    }
}

/// Inserts the smallest hold, taken and released ten thousand times from an instant on.
fn make_it_long(app: &TestApp, from: i64) {
    let (url, number) = (app.database_url().to_owned(), app.team.account.id.number());
    let holder = if url.starts_with("sqlite") {
        "zeroblob(16)"
    } else {
        "CAST('00000000-0000-0000-0000-000000000000' AS uuid)"
    };
    let sql = format!(
        "INSERT INTO hold_movement (account_id, holder_id, sequence, holder, occurred_at, amount, held, held_after) \
         WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 20002) \
         SELECT {number}, {holder}, 1000000 + n, 'SESSION', {from} + n * 1000, CASE WHEN n % 2 = 1 THEN 1 ELSE -1 END, n % 2, n % 2 FROM s"
    );
    let inserted = elsewhere(async move {
        let connection = Database::connect(&url).await.expect("the database opens");
        let done = connection
            .execute_unprepared(&sql)
            .await
            .expect("inserted")
            .rows_affected();
        connection.close().await.expect("the database closes");
        done
    });
    assert_eq!(inserted.expect("rows"), 20_002);
}

#[tokio::test]
async fn an_approximation_invents_no_charge() {
    let mut app = TestApp::start().await;
    app.do_not_verify();
    app.top_up(9).await;
    app.advance(Duration::from_hours(5));
    // Within one hour, many credits are bought and used, never at the same time: at no instant were there fewer than 9.
    app.top_up(700).await;
    app.advance(Duration::from_mins(2));
    use_up(&app, "690", "much").await;
    app.advance(Duration::from_hours(30));
    let settings = json!({ "trigger": "5", "amount": "40" });
    let exact = simulate(&app, settings.clone()).await;
    assert_eq!((&exact["isExact"], &exact["chargeCount"]), (&json!(true), &json!(0)));
    make_it_long(&app, app.clock.now().millis() - 20 * 3_600_000);
    let coarse = simulate(&app, settings).await;
    assert_eq!((&coarse["isExact"], &coarse["chargeCount"]), (&json!(false), &json!(0)));
    assert_eq!(coarse["lowestAvailable"], exact["lowestAvailable"]);
}
