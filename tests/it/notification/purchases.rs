//! Alerts about top-ups and the auto top-up rule, and when alerts about the balance wait for them.

use std::time::Duration;

use serde_json::{Value, json};

use super::{adjust, inbox, kinds, set};
use crate::harness::TestApp;
use crate::top_ups::{Buyer, object_of};

/// Returns an app whose rule buys 10 at 20 with this card, and has not bought yet: 100 credits are available.
async fn with_rule<'a>(app: &'a TestApp, card: &str, cap: Option<&str>) -> Buyer<'a> {
    let buyer = Buyer::of(app);
    app.top_up(100).await;
    buyer.add_card(card).await;
    let mut input = json!({ "enabled": true, "trigger": "20", "amount": "10", "consent": true });
    if let Some(cap) = cap {
        input["monthlyCap"] = json!(cap);
    }
    buyer.accept("updateAutoTopUp", "autoTopUp { state }", input).await;
    app.advance(Duration::from_mins(1));
    work(app).await;
    buyer
}

/// Runs the workers, and raises the alerts.
async fn work(app: &TestApp) {
    app.settle().await;
    app.evaluate().await;
}

/// Returns the newest alert of a kind in the owner's inbox.
async fn newest(app: &TestApp, kind: &str) -> Value {
    let (alerts, _) = inbox(&app.team.owner.client).await;
    let found = alerts.iter().find(|alert| alert["kind"] == kind);
    found.unwrap_or_else(|| panic!("{kind} in {alerts:?}")).clone()
}

async fn count(app: &TestApp, kind: &str) -> usize {
    kinds(&app.team.owner).await.iter().filter(|one| *one == kind).count()
}

#[tokio::test]
async fn f26_a_failed_top_up_is_told_at_once_and_when_it_gives_up() {
    let app = TestApp::start().await;
    let buyer = with_rule(&app, "card_insufficient_funds", None).await;
    adjust(&app, "-90").await;
    work(&app).await;
    let failed = newest(&app, "TOP_UP_FAILED").await;
    assert_eq!(failed["action"]["nextStep"], "RETRY_TOP_UP");
    let body = failed["body"].as_str().expect("a text");
    assert!(body.contains("add funds") && !body.contains("INSUFFICIENT"), "{body}");
    app.advance(Duration::from_hours(1));
    work(&app).await;
    assert_eq!(count(&app, "TOP_UP_FAILED").await, 1, "it is retried automatically");
    app.advance(Duration::from_hours(6));
    work(&app).await;
    assert_eq!(count(&app, "TOP_UP_FAILED").await, 2, "it has given up");
    let paused = newest(&app, "AUTO_TOP_UP_PAUSED").await;
    assert!(
        paused["body"].as_str().is_some_and(|body| body.contains("three times")),
        "{paused}"
    );
    assert_eq!(paused["action"]["nextStep"], "UPDATE_PAYMENT_METHOD");
    for _ in 0..5 {
        app.advance(Duration::from_hours(1));
        work(&app).await;
    }
    assert_eq!(count(&app, "AUTO_TOP_UP_PAUSED").await, 1);
    buyer.add_card("card_ok").await;
    work(&app).await;
    assert!(newest(&app, "AUTO_TOP_UP_PAUSED").await["resolvedAt"].is_string());
    for alert in inbox(&app.team.owner.client).await.0 {
        let is_over = alert["kind"] != "TOP_UP_FAILED" || alert["resolvedAt"].is_string();
        assert!(
            is_over,
            "what a later one took the place of no longer needs anybody: {alert}"
        );
    }
}

#[tokio::test]
async fn what_to_do_about_a_failed_top_up_depends_on_why() {
    let table = [
        ("card_declined", "RETRY_TOP_UP", "Retry top-up", "ask it why"),
        (
            "card_expired",
            "UPDATE_PAYMENT_METHOD",
            "Update payment method",
            "has expired",
        ),
        (
            "card_blocked",
            "UPDATE_PAYMENT_METHOD",
            "Update payment method",
            "no longer accepts",
        ),
    ];
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    for (card, step, label, why) in table {
        app.advance(Duration::from_secs(1));
        buyer.buy_with(card, "10").await;
        app.evaluate().await;
        let failed = newest(&app, "TOP_UP_FAILED").await;
        assert_eq!(
            (&failed["action"]["nextStep"], &failed["action"]["label"]),
            (&json!(step), &json!(label))
        );
        assert!(
            failed["body"].as_str().is_some_and(|body| body.contains(why)),
            "{failed}"
        );
    }
    assert_eq!(
        count(&app, "TOP_UP_FAILED").await,
        3,
        "one for each, though nobody tries again"
    );
    assert_eq!(count(&app, "AUTO_TOP_UP_PAUSED").await, 0, "there is no rule");
    app.advance(Duration::from_secs(1));
    let once = buyer.buy_with("card_declines_once", "10").await;
    app.evaluate().await;
    buyer.retry(&once["id"], "again").await;
    work(&app).await;
    assert!(
        newest(&app, "TOP_UP_FAILED").await["resolvedAt"].is_string(),
        "it was paid"
    );
}

#[tokio::test]
async fn f25_each_reason_for_a_pause_is_told_once_and_ends_with_it() {
    for (card, reason) in [
        ("card_expired", "refuses the card"),
        ("card_authenticate", "wants the cardholder"),
    ] {
        let app = TestApp::start().await;
        with_rule(&app, card, None).await;
        adjust(&app, "-90").await;
        work(&app).await;
        let paused = newest(&app, "AUTO_TOP_UP_PAUSED").await;
        assert!(
            paused["body"].as_str().is_some_and(|body| body.contains(reason)),
            "{paused}"
        );
        assert_eq!(paused["action"]["nextStep"], "UPDATE_PAYMENT_METHOD");
        // Other changes meanwhile do not make it another pause.
        let rename = json!({ "accountId": app.team.id(), "name": "Another name" });
        app.platform.apply("updateAccount", "", rename).await;
        work(&app).await;
        assert_eq!(count(&app, "AUTO_TOP_UP_PAUSED").await, 1);
    }
    let app = TestApp::start().await;
    let buyer = with_rule(&app, "card_ok", None).await;
    let dearer = json!({ "accountId": app.team.id(), "creditPrice": "2" });
    app.platform.apply("updateAccount", "", dearer).await;
    adjust(&app, "-90").await;
    work(&app).await;
    let paused = newest(&app, "AUTO_TOP_UP_PAUSED").await;
    assert!(
        paused["body"]
            .as_str()
            .is_some_and(|body| body.contains("more than was agreed")),
        "{paused}"
    );
    assert!(paused["resolvedAt"].is_null());
    let review = json!({ "label": "Review auto top-up", "nextStep": "REVIEW_AUTO_TOP_UP" });
    let action =
        |paused: &Value| json!({ "label": paused["action"]["label"], "nextStep": paused["action"]["nextStep"] });
    assert_eq!(action(&paused), review, "another card would not help");
    buyer
        .accept("updateAutoTopUp", "autoTopUp { state }", json!({ "consent": true }))
        .await;
    work(&app).await;
    assert!(newest(&app, "AUTO_TOP_UP_PAUSED").await["resolvedAt"].is_string());
    // A return of money pauses for a different reason, which is also sent.
    app.advance(Duration::from_secs(1));
    let paid = buyer.top_ups().await[0].clone();
    assert_eq!(paid["status"], "SUCCEEDED");
    let refund = json!({ "topUpId": paid["id"], "credits": "1", "reason": "Sorry", "idempotencyKey": "r" });
    buyer.accept("refundTopUp", "topUp { id }", refund).await;
    work(&app).await;
    let paused = newest(&app, "AUTO_TOP_UP_PAUSED").await;
    assert!(
        paused["body"]
            .as_str()
            .is_some_and(|body| body.contains("was reversed")),
        "{paused}"
    );
    assert_eq!(action(&paused), review);
    assert_eq!(count(&app, "AUTO_TOP_UP_PAUSED").await, 2);
    buyer.accept("resumeAutoTopUp", "autoTopUp { state }", json!({})).await;
    work(&app).await;
    assert!(newest(&app, "AUTO_TOP_UP_PAUSED").await["resolvedAt"].is_string());
}

#[tokio::test]
async fn f25_an_amount_too_small_to_be_charged_pauses_and_is_told_until_it_is_larger() {
    let app = TestApp::start().await;
    let buyer = with_rule(&app, "card_ok", None).await;
    let cheaper = json!({ "accountId": app.team.id(), "creditPrice": "0.01" });
    app.platform.apply("updateAccount", "", cheaper).await;
    adjust(&app, "-90").await;
    for _ in 0..2 {
        work(&app).await;
        let paused = newest(&app, "AUTO_TOP_UP_PAUSED").await;
        let body = paused["body"].as_str().expect("a text");
        assert!(body.contains("costs less than the payment service charges"), "{paused}");
        assert!(paused["resolvedAt"].is_null());
        assert_eq!((count(&app, "AUTO_TOP_UP_PAUSED").await, buyer.charges()), (1, 0));
        app.advance(Duration::from_hours(1));
    }
    let larger = json!({ "amount": "100", "consent": true });
    buyer.accept("updateAutoTopUp", "autoTopUp { state }", larger).await;
    work(&app).await;
    assert!(newest(&app, "AUTO_TOP_UP_PAUSED").await["resolvedAt"].is_string());
    assert_eq!(buyer.charges(), 1, "it buys again");
}

#[tokio::test]
async fn each_refund_of_a_top_up_is_told_once() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let paid = buyer.buy_with("card_ok", "10").await;
    app.evaluate().await;
    for (key, credits, told, total) in [("a", "4", 1, "4 credits"), ("b", "6", 2, "10 credits")] {
        app.advance(Duration::from_secs(1));
        let refund = json!({ "topUpId": paid["id"], "credits": credits, "reason": "Sorry", "idempotencyKey": key });
        buyer.accept("refundTopUp", "topUp { id }", refund).await;
        work(&app).await;
        assert_eq!(count(&app, "TOP_UP_REVERSED").await, told);
        let body = newest(&app, "TOP_UP_REVERSED").await["body"].clone();
        assert!(body.as_str().is_some_and(|body| body.contains(total)), "{body}");
    }
    assert_eq!(count(&app, "TOP_UP_SUCCEEDED").await, 1);
}

#[tokio::test]
async fn a_refund_that_fails_later_is_told_with_words_of_its_own() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let paid = buyer.buy_with("card_ok", "10").await;
    app.evaluate().await;
    let refund = json!({ "topUpId": paid["id"], "credits": "4", "reason": "Sorry", "idempotencyKey": "a" });
    buyer.accept("refundTopUp", "topUp { id }", refund).await;
    work(&app).await;
    assert_eq!(
        newest(&app, "TOP_UP_REVERSED").await["title"],
        "A top-up was taken back"
    );
    app.advance(Duration::from_secs(1));
    let object = object_of(&paid);
    assert!(app.gateway().fail_refund(object));
    work(&app).await;
    let failed = newest(&app, "TOP_UP_REVERSED").await;
    assert_eq!(failed["title"], "A refund failed");
    assert_eq!(
        failed["body"],
        "The bank returned the money of a refund. Of this top-up, 0 credits are still taken back."
    );
    work(&app).await;
    assert_eq!(count(&app, "TOP_UP_REVERSED").await, 2, "each fact once");
}

#[tokio::test]
async fn a_dispute_is_told_when_it_is_opened_and_when_it_is_decided() {
    for (won, title) in [
        (true, "A disputed payment was kept"),
        (false, "A disputed payment was lost"),
    ] {
        let app = TestApp::start().await;
        let buyer = Buyer::of(&app);
        let disputed = buyer.buy_with("card_disputed", "15").await;
        app.evaluate().await;
        let opened = newest(&app, "TOP_UP_REVERSED").await;
        assert_eq!(opened["title"], "A payment is disputed");
        let body = opened["body"].as_str().expect("a text");
        assert!(
            body.contains("15 credits") && !body.contains("refunded") && !body.contains("returned the money"),
            "{body}"
        );
        let object = object_of(&disputed);
        app.advance(Duration::from_secs(1));
        assert!(app.gateway().close_dispute(object, won));
        work(&app).await;
        assert_eq!(newest(&app, "TOP_UP_REVERSED").await["title"], title);
        work(&app).await;
        assert_eq!(count(&app, "TOP_UP_REVERSED").await, 2, "each fact once");
    }
}

/// While a dispute is open its credits are held. No text states that they, or the money, were returned.
#[tokio::test]
async fn a_dispute_that_only_holds_is_never_said_to_have_taken_anything_back() {
    let app = TestApp::start().await;
    let buyer = with_rule(&app, "card_ok", None).await;
    let german = "mutation { updateContact(input: { locale: \"de\" }) { userErrors { code } } }";
    app.team.admin.client.query(german, json!({})).await.data();
    app.advance(Duration::from_secs(1));
    let disputed = buyer.buy_with("card_disputed", "15").await;
    assert_eq!(disputed["status"], "DISPUTED");
    work(&app).await;
    assert_eq!(newest(&app, "AUTO_TOP_UP_PAUSED").await["resolvedAt"], Value::Null);
    let read = "{ account {
        alerts(first: 100) { nodes { kind title body action { label } } }
        creditLog(first: 100) { nodes { description } }
        troubleshooting { code summary cause remedy { label help } }
        autoTopUp { decisions(first: 20) { nodes { message } } }
        topUps(first: 10) { nodes { failure { message } } } } }";
    for (client, dispute) in [
        (&app.team.owner.client, "A payment is disputed"),
        (&app.team.admin.client, "Eine Zahlung wird angefochten"),
    ] {
        let account = client.query(read, json!({})).await.at("/account").to_string();
        assert!(
            account.contains(dispute) && account.contains("AUTO_TOP_UP_PAUSED"),
            "{account}"
        );
        says_nothing_went_back(&account);
    }
    let mails = app.mail().await;
    assert!(mails.iter().any(|mail| mail.contains("Subject: A payment is disputed")));
    for mail in mails {
        says_nothing_went_back(&mail.replace("=\r\n", ""));
    }
}

fn says_nothing_went_back(text: &str) {
    for words in [
        "went back",
        "taken back",
        "given back",
        "top-up was refunded",
        "returned the money of a top-up",
        "ging zurück",
        "Aufladung wurde erstattet",
        "zurückgenommen",
    ] {
        assert!(!text.contains(words), "{words}: {text}");
    }
}

#[tokio::test]
async fn f27_the_cap_is_told_once_a_month_and_ends_with_the_month_or_another_cap() {
    let app = TestApp::start().await;
    let buyer = with_rule(&app, "card_ok", Some("25")).await;
    // A gap of 30 needs four amounts: two are possible.
    adjust(&app, "-110").await;
    work(&app).await;
    let reached = newest(&app, "CAP_REACHED").await;
    assert_eq!(reached["action"]["nextStep"], "RAISE_CAP");
    let body = reached["body"].as_str().expect("a text");
    assert!(body.contains("1\u{a0}April 2026"), "when it is counted anew: {body}");
    for _ in 0..4 {
        app.advance(Duration::from_mins(5));
        adjust(&app, "-1").await;
        work(&app).await;
    }
    assert_eq!(count(&app, "CAP_REACHED").await, 1, "told once");
    buyer
        .accept(
            "updateAutoTopUp",
            "autoTopUp { state }",
            json!({ "monthlyCap": "36", "consent": true }),
        )
        .await;
    work(&app).await;
    let (alerts, _) = inbox(&app.team.owner.client).await;
    let caps: Vec<&Value> = alerts.iter().filter(|alert| alert["kind"] == "CAP_REACHED").collect();
    assert_eq!(caps.len(), 2, "another cap, and still no room for all: {alerts:?}");
    assert!(caps[0]["resolvedAt"].is_null() && caps[1]["resolvedAt"].is_string());
    app.advance(Duration::from_hours(31 * 24));
    work(&app).await;
    let (alerts, _) = inbox(&app.team.owner.client).await;
    let open = alerts
        .iter()
        .filter(|alert| alert["kind"] == "CAP_REACHED" && alert["resolvedAt"].is_null());
    assert_eq!(open.count(), 0, "the month is over");
}

#[tokio::test]
async fn f27_the_ceilings_of_a_day_are_told_once_and_end_with_it() {
    let app = TestApp::start().await;
    let buyer = with_rule(&app, "card_ok", None).await;
    adjust(&app, "-80").await;
    for _ in 0..12 {
        work(&app).await;
        app.advance(Duration::from_mins(2));
        adjust(&app, "-10").await;
    }
    work(&app).await;
    let reached = newest(&app, "CAP_REACHED").await;
    let title = reached["title"].as_str().expect("a text");
    assert!(title.contains("limit for a day"), "{reached}");
    assert_eq!(
        (&reached["action"]["nextStep"], &reached["action"]["label"]),
        (&json!("TOP_UP"), &json!("Top up")),
        "a higher cap would not help"
    );
    assert_eq!((count(&app, "CAP_REACHED").await, buyer.charges()), (1, 10));
    app.advance(Duration::from_hours(24));
    work(&app).await;
    assert!(
        newest(&app, "CAP_REACHED").await["resolvedAt"].is_string(),
        "it goes on"
    );
    assert_eq!((count(&app, "CAP_REACHED").await, buyer.charges()), (1, 11));
}

#[tokio::test]
async fn alerts_about_the_balance_wait_for_the_rule_and_are_not_raised_when_it_buys() {
    let app = TestApp::start().await;
    with_rule(&app, "card_ok", None).await;
    let begun = kinds(&app.team.owner).await;
    adjust(&app, "-85").await;
    assert_eq!(kinds(&app.team.owner).await, begun, "the rule is about to buy");
    work(&app).await;
    app.advance(Duration::from_mins(2));
    work(&app).await;
    assert_eq!(
        kinds(&app.team.owner).await,
        [["TOP_UP_SUCCEEDED".to_owned()].as_slice(), begun.as_slice()].concat(),
        "it has bought"
    );
    // An empty balance waits, too.
    app.advance(Duration::from_mins(1));
    adjust(&app, "-60").await;
    assert_eq!(kinds(&app.team.member).await, [""; 0]);
    work(&app).await;
    assert_eq!(kinds(&app.team.member).await, [""; 0]);
}

#[tokio::test]
async fn alerts_about_the_balance_are_raised_as_soon_as_the_top_up_fails() {
    let app = TestApp::start().await;
    with_rule(&app, "card_declined", None).await;
    adjust(&app, "-100").await;
    assert_eq!(
        (
            count(&app, "BALANCE_DEPLETED").await,
            count(&app, "TOP_UP_FAILED").await
        ),
        (0, 0)
    );
    work(&app).await;
    assert_eq!(
        (
            count(&app, "BALANCE_DEPLETED").await,
            count(&app, "TOP_UP_FAILED").await
        ),
        (1, 1)
    );
    assert_eq!(kinds(&app.team.member).await, ["BALANCE_DEPLETED"]);
}

#[tokio::test]
async fn alerts_about_the_balance_wait_a_minute_at_the_most_also_across_a_crash() {
    let app = TestApp::start().await;
    with_rule(&app, "card_hang", None).await;
    set(&app.team.admin, json!({ "lowBalanceThreshold": "5" })).await;
    adjust(&app, "-85").await;
    work(&app).await;
    app.advance(Duration::from_millis(58_999));
    work(&app).await;
    assert_eq!(
        count(&app, "LOW_BALANCE").await,
        0,
        "nobody knows yet what became of it"
    );
    // Another process finds what this one has stored.
    app.advance(Duration::from_secs(2));
    let another = app.another_process(&[]).await;
    assert_eq!(another.services().alerts.evaluate_due(10).await, Ok(1));
    another.close().await;
    assert_eq!(count(&app, "LOW_BALANCE").await, 1, "the owner follows the trigger");
    let admin = kinds(&app.team.admin).await;
    assert!(
        !admin.contains(&"LOW_BALANCE".to_owned()),
        "15 are enough for the admin: {admin:?}"
    );
    assert_eq!(app.services().alerts.evaluate_due(10).await, Ok(0));
}

#[tokio::test]
async fn where_no_rule_works_nothing_waits() {
    let app = TestApp::start().await;
    let buyer = with_rule(&app, "card_ok", None).await;
    adjust(&app, "-50").await;
    // A paused rule buys nothing; its trigger is still the threshold of the admins.
    let freeze = json!({ "accountId": app.team.id(), "reason": "Invoice" });
    app.platform.accept("freeze_account", freeze).await;
    adjust(&app, "-31").await;
    assert_eq!(count(&app, "LOW_BALANCE").await, 1);
    app.platform
        .accept("unfreeze_account", json!({ "accountId": app.team.id() }))
        .await;
    buyer
        .accept("updateAutoTopUp", "autoTopUp { state }", json!({ "enabled": false }))
        .await;
    app.evaluate().await;
    let low = newest(&app, "LOW_BALANCE").await;
    assert!(low["resolvedAt"].is_string(), "without a rule nobody watches: {low}");
}
