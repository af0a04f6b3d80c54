//! The auto top-up rule of an account.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Buyer, object_of};
use crate::harness::TestApp;

const RULE: &str = "autoTopUp { enabled state pauseReason trigger amount monthlyCap { amount } spentThisMonth { amount } \
    capResetsAt consentedBy { kind } version paymentMethod { id } \
    decisions(first: 50) { nodes { outcome available message topUp { id } } } }";

impl Buyer<'_> {
    async fn rule(&self) -> Value {
        let answer = self
            .client
            .query(&format!("{{ account {{ {RULE} }} }}"), json!({}))
            .await;
        answer.at("/account/autoTopUp").clone()
    }

    async fn switch_on(&self, trigger: &str, amount: &str, cap: Option<&str>) {
        let mut input = json!({ "enabled": true, "trigger": trigger, "amount": amount, "consent": true });
        if let Some(cap) = cap {
            input["monthlyCap"] = json!(cap);
        }
        self.accept("updateAutoTopUp", RULE, input).await;
    }

    /// Deducts credits, to which the rule reacts.
    async fn spend(&self, credits: &str, key: &str) {
        let input = json!({
            "accountId": self.app.team.id(), "amount": format!("-{credits}"), "description": "Spent", "idempotencyKey": key,
        });
        self.app.platform.apply("adjustCredits", "", input).await;
    }

    async fn outcomes(&self) -> Vec<String> {
        let rule = self.rule().await;
        let nodes = rule["decisions"]["nodes"].as_array().expect("a list").clone();
        nodes
            .iter()
            .map(|node| node["outcome"].as_str().expect("a word").to_owned())
            .collect()
    }
}

#[tokio::test]
async fn f19_f33_one_charge_closes_the_gap_as_soon_as_the_trigger_is_reached() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    app.top_up(100).await;
    buyer.add_card("card_ok").await;
    buyer.switch_on("20", "15", None).await;
    app.advance(Duration::from_mins(1));
    app.settle().await;
    assert_eq!(buyer.charges(), 0, "above the trigger nothing is charged");
    // 100 − 145 = −45: a gap of 65 to the trigger takes five times 15.
    buyer.spend("145", "s").await;
    app.settle().await;
    let made = &buyer.top_ups().await[0];
    assert_eq!(
        (&made["origin"], &made["credits"], &made["status"]),
        (&json!("AUTO"), &json!("75"), &json!("SUCCEEDED"))
    );
    assert_eq!(made["entry"]["kind"], "AUTO_TOP_UP");
    assert_eq!((buyer.charges(), &buyer.balance().await["posted"]), (1, &json!("30")));
    assert_eq!(buyer.outcomes().await, ["TRIGGERED"]);
}

#[tokio::test]
async fn f18_one_open_auto_top_up_per_account() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_slow").await;
    buyer.switch_on("0", "10", None).await;
    let account = app.team.account.id;
    let rules = &app.services().auto_top_ups;
    // Also F28: 50 at once.
    for evaluated in join_all((0..50).map(|_| rules.evaluate(account, true))).await {
        evaluated.expect("evaluates");
    }
    app.settle().await;
    assert_eq!(buyer.top_ups().await.len(), 1);
    assert!(buyer.outcomes().await.contains(&"TOP_UP_OPEN".to_owned()));
}

#[tokio::test]
async fn f27_f28_the_cap_holds_with_what_is_in_flight_and_says_so_until_the_next_month() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_ok").await;
    buyer.switch_on("0", "10", Some("35")).await;
    for n in 0..6 {
        app.settle().await;
        app.advance(Duration::from_mins(2));
        let available = buyer.balance().await["available"].as_str().expect("text").to_owned();
        if !available.starts_with('-') && available != "0" {
            buyer.spend(&available, &format!("s{n}")).await;
        }
        let rules = &app.services().auto_top_ups;
        for evaluated in join_all((0..50).map(|_| rules.evaluate(app.team.account.id, false))).await {
            evaluated.expect("evaluates");
        }
    }
    app.settle().await;
    assert_eq!(buyer.rule().await["spentThisMonth"]["amount"], "30.00");
    assert_eq!(buyer.outcomes().await[0], "CAP_REACHED");
    // F27: the next month has a new cap.
    app.advance(Duration::from_hours(31 * 24));
    app.settle().await;
    assert_eq!(buyer.rule().await["spentThisMonth"]["amount"], "10.00");
}

#[tokio::test]
async fn f29_a_refused_booking_and_the_level_itself_are_looked_at() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    app.top_up(30).await;
    buyer.add_card("card_ok").await;
    app.advance(Duration::from_mins(1));
    buyer.switch_on("20", "10", None).await;
    app.settle().await;
    let input = app.booking("40", "b", 60..120);
    let refused = app.platform.mutate("bookSession", "", input).await;
    assert_eq!(refused["userErrors"][0]["code"], "INSUFFICIENT_CREDITS");
    app.settle().await;
    assert_eq!(buyer.outcomes().await, ["ABOVE_TRIGGER"]);
    assert_eq!(buyer.charges(), 0);
    // Already below the trigger when it is enabled: nothing crosses the trigger, and the rule still works.
    buyer
        .accept("updateAutoTopUp", RULE, json!({ "trigger": "30", "consent": true }))
        .await;
    app.settle().await;
    assert_eq!(buyer.charges(), 1);
}

#[tokio::test]
async fn f23_f24_soft_declines_are_tried_three_times_and_then_pause_for_good() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_insufficient_funds").await;
    buyer.switch_on("0", "10", None).await;
    app.settle().await;
    let failed = &buyer.top_ups().await[0];
    assert_eq!(
        (&failed["status"], failed["nextAttemptAt"].is_string()),
        (&json!("FAILED"), true)
    );
    for _ in 0..60 * 24 {
        app.advance(Duration::from_hours(1));
        app.settle().await;
        if buyer.rule().await["state"] == "PAUSED" {
            break;
        }
    }
    for _ in 0..100 {
        app.advance(Duration::from_hours(20));
        app.settle().await;
    }
    let rule = buyer.rule().await;
    assert_eq!(
        (&rule["state"], &rule["pauseReason"]),
        (&json!("PAUSED"), &json!("REPEATED_DECLINES"))
    );
    let top_ups = buyer.top_ups().await;
    assert_eq!(
        (top_ups.len(), top_ups[0]["attempts"].as_array().map(Vec::len)),
        (1, Some(3))
    );
    // F30, F32: neither disabling and enabling nor adding the same card again ends the pause.
    buyer.accept("updateAutoTopUp", RULE, json!({ "enabled": false })).await;
    buyer
        .accept("updateAutoTopUp", RULE, json!({ "enabled": true, "consent": true }))
        .await;
    buyer.add_card("card_insufficient_funds").await;
    app.settle().await;
    assert_eq!(
        (buyer.rule().await["state"].clone(), buyer.top_ups().await.len()),
        (json!("PAUSED"), 1)
    );
    buyer.add_card("card_ok").await;
    app.settle().await;
    assert_eq!(
        (buyer.rule().await["state"].clone(), buyer.charges()),
        (json!("ACTIVE"), 1),
        "another card does"
    );
    let canceled = buyer.top_ups().await.pop().expect("the first one");
    assert_eq!(canceled["status"], "CANCELED", "the failure gives way to the later one");
}

#[tokio::test]
async fn f23_f32_a_hard_decline_pauses_at_once_and_its_card_cannot_bring_the_rule_back() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_expired").await;
    buyer.switch_on("0", "10", None).await;
    app.settle().await;
    let rule = buyer.rule().await;
    assert_eq!(
        (&rule["state"], &rule["pauseReason"]),
        (&json!("PAUSED"), &json!("CARD_REFUSED"))
    );
    assert_eq!(
        buyer.refuse("resumeAutoTopUp", RULE, json!({})).await.0,
        "PAYMENT_METHOD_SUSPENDED"
    );
    buyer.accept("updateAutoTopUp", RULE, json!({ "enabled": false })).await;
    let on = json!({ "enabled": true, "consent": true });
    assert_eq!(
        buyer.refuse("updateAutoTopUp", RULE, on).await.0,
        "PAYMENT_METHOD_SUSPENDED"
    );
}

#[tokio::test]
async fn f25_an_automatic_charge_that_wants_authentication_pauses_the_rule_until_it_is_done() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_authenticate").await;
    buyer.switch_on("0", "10", None).await;
    app.settle().await;
    assert_eq!(buyer.rule().await["pauseReason"], "AUTHENTICATION_REQUIRED");
    let waiting = &buyer.top_ups().await[0];
    let object = object_of(waiting).to_owned();
    assert!(app.gateway().authenticate(&object, true));
    app.settle().await;
    assert_eq!(buyer.rule().await["state"], "ACTIVE");
    assert_eq!((buyer.charges(), buyer.top_ups().await.len()), (1, 1));
}

#[tokio::test]
async fn f20_ceilings_stop_a_rule_that_runs_away() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_ok").await;
    buyer.switch_on("0", "10", None).await;
    for n in 0..20 {
        app.settle().await;
        app.advance(Duration::from_secs(40));
        let available = buyer.balance().await["available"].as_str().expect("text").to_owned();
        if available != "0" {
            buyer.spend(&available, &format!("s{n}")).await;
        }
    }
    app.settle().await;
    assert_eq!(
        (buyer.charges(), buyer.outcomes().await[0].as_str()),
        (10, "CEILING_REACHED")
    );
    let findings = "{ account { troubleshooting { code cause } } }";
    let findings = buyer.client.query(findings, json!({})).await.data().to_string();
    assert!(
        findings.contains("has made 10 attempts and bought 100 credits"),
        "{findings}"
    );
    // It was announced for the instant at which the first of them is a day old, whatever the pause between evaluations is by
    // then.
    for _ in 0..23 {
        app.advance(Duration::from_hours(1));
        app.settle().await;
    }
    app.advance(Duration::from_secs(3_600 - 20 * 40 - 1));
    app.settle().await;
    assert_eq!(buyer.charges(), 10, "a second before");
    app.advance(Duration::from_secs(2));
    app.settle().await;
    assert_eq!(buyer.charges(), 11);
}

#[tokio::test]
async fn f21_f22_every_evaluation_is_a_decision_with_a_reason_and_a_repeated_no_is_one() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let card = buyer.add_card("card_ok").await;
    buyer.switch_on("0", "10", None).await;
    buyer
        .accept(
            "removePaymentMethod",
            "paymentMethod { id }",
            json!({ "paymentMethodId": card }),
        )
        .await;
    for _ in 0..5 {
        app.services()
            .auto_top_ups
            .evaluate(app.team.account.id, false)
            .await
            .expect("evaluates");
        app.advance(Duration::from_mins(1));
    }
    let rule = buyer.rule().await;
    assert_eq!(
        (&rule["state"], &rule["pauseReason"]),
        (&json!("PAUSED"), &json!("PAYMENT_METHOD_MISSING"))
    );
    let decisions = rule["decisions"]["nodes"].as_array().expect("a list").clone();
    assert_eq!(decisions.len(), 1, "{decisions:?}");
    assert_eq!(decisions[0]["outcome"], "NO_PAYMENT_METHOD");
    assert!(decisions[0]["message"].as_str().expect("words").contains("no card"));
}

#[tokio::test]
async fn f31_settings_are_checked_together_and_taking_more_needs_consent() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let code = async |input: Value| buyer.refuse("updateAutoTopUp", RULE, input).await.0;
    let on = json!({ "enabled": true, "trigger": "5", "amount": "10", "consent": true });
    assert_eq!(code(on).await, "PAYMENT_METHOD_MISSING");
    buyer.add_card("card_ok").await;
    for (input, expected) in [
        (
            json!({ "enabled": true, "trigger": "5", "amount": "10" }),
            "CONSENT_REQUIRED",
        ),
        (
            json!({ "enabled": true, "amount": "10", "consent": true }),
            "VALIDATION",
        ),
        (
            json!({ "enabled": true, "trigger": "5", "consent": true }),
            "VALIDATION",
        ),
        (json!({ "trigger": "-1" }), "VALIDATION"),
        (json!({ "amount": "0" }), "VALIDATION"),
        (json!({ "amount": "0.1" }), "VALIDATION"),
        (json!({ "amount": "10", "monthlyCap": "9.99" }), "CAP_TOO_LOW"),
        (json!({ "monthlyCap": "1.001" }), "VALIDATION"),
        (json!({ "trigger": null }), "VALIDATION"),
        (json!({ "trigger": "5", "expectedVersion": 7 }), "VERSION_CONFLICT"),
    ] {
        assert_eq!(code(input.clone()).await, expected, "{input}");
    }
    assert_eq!(buyer.rule().await["version"], 0, "nothing was changed");
    app.top_up(100).await;
    buyer.switch_on("5", "10", Some("50")).await;
    let rule = buyer.rule().await;
    assert_eq!(
        (&rule["state"], &rule["consentedBy"]["kind"]),
        (&json!("ACTIVE"), &json!("MEMBER"))
    );
    for input in [
        json!({ "trigger": "6" }),
        json!({ "amount": "11" }),
        json!({ "monthlyCap": "51" }),
    ] {
        assert_eq!(code(input.clone()).await, "CONSENT_REQUIRED", "{input}");
    }
    assert_eq!(code(json!({ "monthlyCap": null })).await, "VALIDATION");
    buyer
        .accept(
            "updateAutoTopUp",
            RULE,
            json!({ "trigger": "4", "amount": "9", "monthlyCap": "40" }),
        )
        .await;
}

#[tokio::test]
async fn a_dearer_price_pauses_until_somebody_consents_and_a_freeze_only_while_it_lasts() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_ok").await;
    app.top_up(100).await;
    app.advance(Duration::from_mins(1));
    buyer.switch_on("5", "10", None).await;
    let dearer = json!({ "accountId": app.team.id(), "creditPrice": "2" });
    app.platform.apply("updateAccount", "", dearer).await;
    buyer.spend("95", "s").await;
    app.settle().await;
    assert_eq!(buyer.rule().await["pauseReason"], "CONSENT_NEEDED");
    assert_eq!(
        buyer.refuse("resumeAutoTopUp", RULE, json!({})).await.0,
        "CONSENT_REQUIRED"
    );
    let frozen = json!({ "accountId": app.team.id(), "reason": "Unpaid" });
    app.platform.apply("freezeAccount", "", frozen).await;
    assert_eq!(buyer.rule().await["pauseReason"], "ACCOUNT_FROZEN");
    buyer.accept("updateAutoTopUp", RULE, json!({ "consent": true })).await;
    app.settle().await;
    assert_eq!(buyer.charges(), 0, "a frozen account charges nothing");
    app.platform
        .mutate("unfreezeAccount", "", json!({ "accountId": app.team.id() }))
        .await;
    app.settle().await;
    assert_eq!(
        (buyer.rule().await["state"].clone(), buyer.charges()),
        (json!("ACTIVE"), 1)
    );
}

#[tokio::test]
async fn the_rule_never_buys_back_what_was_taken_back() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let paid = buyer.buy_with("card_ok", "10").await;
    app.advance(Duration::from_mins(1));
    buyer.switch_on("0", "10", None).await;
    let refund = json!({ "topUpId": paid["id"], "reason": "Mistake", "idempotencyKey": "r" });
    buyer.accept("refundTopUp", "topUp { id }", refund).await;
    app.settle().await;
    app.advance(Duration::from_hours(2));
    app.settle().await;
    assert_eq!(buyer.rule().await["pauseReason"], "TOP_UP_REVERSED");
    buyer.create("10", "by hand").await;
    app.settle().await;
    assert_eq!(
        buyer.rule().await["pauseReason"],
        "TOP_UP_REVERSED",
        "a success does not end this"
    );
    buyer.accept("resumeAutoTopUp", RULE, json!({})).await;
    assert_eq!(buyer.rule().await["state"], "ACTIVE");
}

#[tokio::test]
async fn f24_a_card_that_was_declined_15_times_is_not_tried_by_the_rule_either() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_insufficient_funds").await;
    buyer.switch_on("0", "10", None).await;
    let attempts = async || -> usize {
        let all = buyer.top_ups().await;
        all.iter()
            .map(|one| one["attempts"].as_array().map_or(0, Vec::len))
            .sum()
    };
    for round in 1..=5 {
        for pause in [1, 6, 24] {
            app.settle().await;
            app.advance(Duration::from_hours(pause));
        }
        assert_eq!(attempts().await, 3 * round);
        assert_eq!(buyer.rule().await["pauseReason"], "REPEATED_DECLINES");
        buyer.accept("resumeAutoTopUp", RULE, json!({})).await;
    }
    app.settle().await;
    app.advance(Duration::from_hours(48));
    app.settle().await;
    assert_eq!(attempts().await, 15, "networks forbid more");
    assert_eq!(buyer.outcomes().await[0], "NO_PAYMENT_METHOD");
    // 30 days after the first declines the card can be tried again.
    app.advance(Duration::from_hours(25 * 24));
    app.settle().await;
    assert_eq!(attempts().await, 16);
}
