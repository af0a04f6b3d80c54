//! Auto top-up that does not buy, or not enough.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    a_card_beside_the_one_that_was_refused, a_person_must_choose, all_is_well, book, change_rule, codes, findings,
    healthy, proved_by, says, send, spend, switch_on, the_finding,
};
use crate::top_ups::Buyer;

#[tokio::test]
async fn auto_top_up_off_and_low_ends_with_consent_which_nobody_fills_in() {
    let app = healthy().await;
    let buyer = Buyer::of(&app);
    app.advance(Duration::from_mins(1));
    spend(&app, "95").await;
    let finding = the_finding(&app, "AUTO_TOP_UP_OFF_AND_LOW").await;
    a_person_must_choose(&finding, "UPDATE_AUTO_TOP_UP");
    says(&finding, &["5 credits are available", "the level of 5"]);
    assert_eq!(
        (&finding["since"], &finding["severity"]),
        (&json!("2026-03-02T09:01:00.000Z"), &json!("WARNING"))
    );
    assert_eq!(proved_by(&finding), ["AutoTopUp", "Balance"]);
    spend(&app, "5").await;
    let finding = the_finding(&app, "AUTO_TOP_UP_OFF_AND_LOW").await;
    assert_eq!(finding["severity"], "CRITICAL");
    buyer.add_card("card_ok").await;
    switch_on(&buyer, "10", "50", None).await;
    app.settle().await;
    all_is_well(&app).await;
    assert_eq!(buyer.balance().await["available"], "50");
}

#[tokio::test]
async fn auto_top_up_paused_after_money_went_back_is_resumed_as_it_stands() {
    let app = healthy().await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_ok").await;
    switch_on(&buyer, "10", "50", None).await;
    buyer.buy_with("card_fails_late", "20").await;
    all_is_well(&app).await;
    app.advance(Duration::from_secs(61));
    app.settle().await;
    let finding = the_finding(&app, "AUTO_TOP_UP_PAUSED").await;
    says(&finding, &["a top-up was reversed", "the trigger is 10", "100 credits"]);
    assert_eq!(
        (&finding["remedy"]["action"], &finding["remedy"]["variables"]),
        (
            &json!("RESUME_AUTO_TOP_UP"),
            &json!({ "input": { "accountId": app.team.id() } })
        )
    );
    assert_eq!(proved_by(&finding), ["AutoTopUp", "PaymentMethod"]);
    send(buyer.client, &finding).await;
    app.settle().await;
    all_is_well(&app).await;
}

#[tokio::test]
async fn auto_top_up_paused_for_a_price_that_rose_waits_for_consent() {
    let app = healthy().await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_ok").await;
    switch_on(&buyer, "10", "50", None).await;
    let input = json!({ "accountId": app.team.id(), "creditPrice": "1.5" });
    app.platform.mutate("updateAccount", "", input).await;
    spend(&app, "92").await;
    app.settle().await;
    let finding = the_finding(&app, "AUTO_TOP_UP_PAUSED").await;
    a_person_must_choose(&finding, "UPDATE_AUTO_TOP_UP");
    says(&finding, &["costs more than was agreed to", "8 credits"]);
    change_rule(&buyer, json!({ "consent": true })).await;
    app.settle().await;
    all_is_well(&app).await;
}

#[tokio::test]
async fn auto_top_up_paused_for_its_card_goes_on_with_another_one() {
    let app = healthy().await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_blocked").await;
    switch_on(&buyer, "10", "50", None).await;
    spend(&app, "92").await;
    app.settle().await;
    assert_eq!(codes(&app).await, ["TOP_UP_FAILED", "AUTO_TOP_UP_PAUSED"]);
    let found = findings(&app.team.owner.client).await;
    says(&found[1], &["the bank refuses the card permanently"]);
    for finding in &found {
        a_person_must_choose(finding, "ADD_PAYMENT_METHOD");
    }
    buyer.add_card("card_ok").await;
    app.settle().await;
    all_is_well(&app).await;
}

#[tokio::test]
async fn cap_reached_says_what_is_spent_and_when_it_ends() {
    let app = healthy().await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_ok").await;
    switch_on(&buyer, "10", "15", Some("20")).await;
    spend(&app, "95").await;
    app.settle().await;
    all_is_well(&app).await;
    app.advance(Duration::from_mins(1));
    spend(&app, "12").await;
    app.settle().await;
    let finding = the_finding(&app, "CAP_REACHED").await;
    a_person_must_choose(&finding, "UPDATE_AUTO_TOP_UP");
    says(
        &finding,
        &[
            "8 credits",
            "trigger of 10",
            "15.00 EUR",
            "cap of 20.00 EUR",
            "1 April 2026",
        ],
    );
    assert_eq!(proved_by(&finding), ["AutoTopUp", "TopUpDecision"]);
    assert_eq!(finding["since"], "2026-03-02T09:01:00.000Z");
    change_rule(&buyer, json!({ "monthlyCap": "100", "consent": true })).await;
    app.settle().await;
    all_is_well(&app).await;
    assert_eq!(buyer.balance().await["available"], "23");
}

#[tokio::test]
async fn payment_method_missing_ends_with_another_card() {
    let app = healthy().await;
    let buyer = Buyer::of(&app);
    let card = buyer.add_card("card_ok").await;
    switch_on(&buyer, "10", "50", None).await;
    all_is_well(&app).await;
    app.advance(Duration::from_mins(1));
    buyer
        .accept("removePaymentMethod", "", json!({ "paymentMethodId": card }))
        .await;
    let finding = the_finding(&app, "PAYMENT_METHOD_MISSING").await;
    a_person_must_choose(&finding, "ADD_PAYMENT_METHOD");
    says(&finding, &["visa …4242 was removed on 2 March 2026, 09:01"]);
    assert_eq!(finding["since"], "2026-03-02T09:01:00.000Z");
    buyer.add_card("card_ok-2").await;
    all_is_well(&app).await;
}

#[tokio::test]
async fn a_card_that_is_there_already_is_offered_to_auto_top_up_as_it_stands() {
    let (app, good) = Box::pin(a_card_beside_the_one_that_was_refused()).await;
    let buyer = Buyer::of(&app);
    let found = findings(&app.team.owner.client).await;
    assert_eq!(codes(&app).await, ["TOP_UP_FAILED", "PAYMENT_METHOD_MISSING"]);
    says(&found[1], &["The bank has refused the card visa …4242"]);
    assert_eq!(
        found[1]["remedy"]["variables"],
        json!({ "input": { "accountId": app.team.id(), "paymentMethodId": good } })
    );
    for finding in &found {
        send(buyer.client, finding).await;
    }
    app.settle().await;
    all_is_well(&app).await;
}

#[tokio::test]
async fn payment_method_expired_is_known_by_its_date() {
    let app = healthy().await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_ok").await;
    switch_on(&buyer, "10", "50", None).await;
    app.advance(Duration::from_hours(14 * 366 * 24));
    let finding = the_finding(&app, "PAYMENT_METHOD_EXPIRED").await;
    a_person_must_choose(&finding, "ADD_PAYMENT_METHOD");
    says(&finding, &["visa …4242", "until the end of 31 December 2039"]);
    assert_eq!(
        (&finding["since"], &finding["severity"]),
        (&json!("2040-01-01T12:00:00.000Z"), &json!("CRITICAL"))
    );
    buyer.add_card("card_ok-2055").await;
    all_is_well(&app).await;
}

#[tokio::test]
async fn trigger_below_typical_session_names_both_and_ends_with_a_higher_trigger() {
    let app = healthy().await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_ok").await;
    switch_on(&buyer, "10", "50", None).await;
    book(&app, "20").await;
    let finding = the_finding(&app, "TRIGGER_BELOW_TYPICAL_SESSION").await;
    assert_eq!(finding["symptom"], "DEDUCTION_NOT_SHOWING");
    a_person_must_choose(&finding, "UPDATE_AUTO_TOP_UP");
    says(&finding, &["starts at 10 credits", "up to 20"]);
    change_rule(&buyer, json!({ "trigger": "20", "consent": true })).await;
    all_is_well(&app).await;
}

#[tokio::test]
async fn a_booking_that_was_refused_above_the_trigger_is_a_sign_for_a_day() {
    let app = healthy().await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_ok").await;
    switch_on(&buyer, "10", "50", None).await;
    app.advance(Duration::from_mins(1));
    let input = app.booking("140", "large", 60..120);
    let refused = app.platform.mutate("bookSession", "", input).await;
    assert_eq!(refused["userErrors"][0]["code"], "INSUFFICIENT_CREDITS");
    app.settle().await;
    let finding = the_finding(&app, "TRIGGER_BELOW_TYPICAL_SESSION").await;
    says(
        &finding,
        &["a booking was refused", "Available credits: 100", "trigger of 10"],
    );
    assert_eq!(proved_by(&finding), ["AutoTopUp", "TopUpDecision"]);
    app.advance(Duration::from_hours(24));
    all_is_well(&app).await;
}

#[tokio::test]
async fn amount_below_typical_session_ends_with_a_larger_amount() {
    let app = healthy().await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_ok").await;
    switch_on(&buyer, "30", "10", None).await;
    for _ in 0..9 {
        book(&app, "2").await;
    }
    all_is_well(&app).await;
    // Of ten sessions, one may need more than the typical one; of eleven, two do.
    book(&app, "20").await;
    all_is_well(&app).await;
    book(&app, "20").await;
    let finding = the_finding(&app, "AMOUNT_BELOW_TYPICAL_SESSION").await;
    a_person_must_choose(&finding, "UPDATE_AUTO_TOP_UP");
    says(&finding, &["buys 10 credits", "up to 20"]);
    change_rule(&buyer, json!({ "amount": "20", "consent": true })).await;
    all_is_well(&app).await;
}

#[tokio::test]
async fn nothing_is_wrong_with_a_rule_that_works_or_is_not_wanted() {
    let app = healthy().await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_ok").await;
    switch_on(&buyer, "30", "50", Some("500")).await;
    book(&app, "20").await;
    spend(&app, "60").await;
    app.settle().await;
    all_is_well(&app).await;
    assert_eq!(buyer.balance().await["available"], "70");
    change_rule(&buyer, json!({ "enabled": false })).await;
    assert_eq!(findings(&app.team.owner.client).await, Vec::<Value>::new());
}
