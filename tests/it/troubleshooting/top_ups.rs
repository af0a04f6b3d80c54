//! Top-ups that bring no credits.

use std::time::Duration;

use serde_json::{Value, json};

use super::{a_person_must_choose, all_is_well, codes, findings, healthy, proved_by, says, send, the_finding};
use crate::harness::TestApp;
use crate::top_ups::Buyer;

#[tokio::test]
async fn top_up_failed_is_mended_by_its_retry_which_charges_once_however_often_it_is_sent() {
    let app = healthy().await;
    let buyer = Buyer::of(&app);
    let failed = buyer.buy_with("card_declines_once", "10").await;
    let finding = the_finding(&app, "TOP_UP_FAILED").await;
    assert_eq!(
        (&finding["symptom"], &finding["severity"], &finding["remedy"]["action"]),
        (&json!("TOP_UP_FAILED"), &json!("CRITICAL"), &json!("RETRY_TOP_UP"))
    );
    says(&finding, &["10.00 EUR", "visa …4242", "the bank declined the charge"]);
    assert_eq!(proved_by(&finding), ["TopUp", "TopUpAttempt", "PaymentMethod"]);
    assert_eq!(
        finding["remedy"]["variables"],
        json!({ "input": { "topUpId": failed["id"], "idempotencyKey": finding["id"] } })
    );
    assert_eq!(
        the_finding(&app, "TOP_UP_FAILED").await["id"],
        finding["id"],
        "it is the same thing"
    );
    for _ in 0..2 {
        send(buyer.client, &finding).await;
        app.settle().await;
        all_is_well(&app).await;
    }
    assert_eq!((buyer.charges(), &buyer.balance().await["posted"]), (1, &json!("110")));
}

#[tokio::test]
async fn a_top_up_that_failed_is_no_longer_wrong_when_a_later_one_is_paid() {
    let app = healthy().await;
    let buyer = Buyer::of(&app);
    buyer.buy_with("card_declined", "10").await;
    the_finding(&app, "TOP_UP_FAILED").await;
    app.advance(Duration::from_mins(1));
    buyer.buy_with("card_ok", "20").await;
    all_is_well(&app).await;
}

#[tokio::test]
async fn a_retry_that_fails_is_another_finding_with_another_key() {
    let app = healthy().await;
    let buyer = Buyer::of(&app);
    let failed = buyer.buy_with("card_insufficient_funds", "10").await;
    let first = the_finding(&app, "TOP_UP_FAILED").await;
    says(&first, &["does not hold enough money"]);
    send(buyer.client, &first).await;
    app.settle().await;
    let second = the_finding(&app, "TOP_UP_FAILED").await;
    assert_ne!(first["id"], second["id"]);
    says(&second, &["It was tried 2 times"]);
    send(buyer.client, &second).await;
    app.settle().await;
    let attempts = buyer.top_up(&failed["id"]).await["attempts"].clone();
    assert_eq!(attempts.as_array().map(Vec::len), Some(3), "each was another try");
    // Any later paid top-up increases the balance.
    buyer.add_card("card_ok").await;
    buyer.create("5", "later").await;
    app.advance(Duration::from_secs(1));
    app.settle().await;
    all_is_well(&app).await;
}

#[tokio::test]
async fn a_card_that_is_not_charged_again_is_replaced_and_then_the_retry_names_the_new_one() {
    let app = healthy().await;
    let buyer = Buyer::of(&app);
    buyer.buy_with("card_expired", "10").await;
    let finding = the_finding(&app, "TOP_UP_FAILED").await;
    says(&finding, &["the card has expired"]);
    a_person_must_choose(&finding, "ADD_PAYMENT_METHOD");
    let card = buyer.add_card("card_ok").await;
    let finding = the_finding(&app, "TOP_UP_FAILED").await;
    assert_eq!(finding["remedy"]["variables"]["input"]["paymentMethodId"], card);
    send(buyer.client, &finding).await;
    app.settle().await;
    all_is_well(&app).await;
    assert_eq!(buyer.balance().await["posted"], "110");
}

#[tokio::test]
async fn top_up_needs_authentication_leads_to_the_page_of_the_bank() {
    let app = healthy().await;
    let buyer = Buyer::of(&app);
    buyer.buy_with("card_authenticate", "10").await;
    let finding = the_finding(&app, "TOP_UP_NEEDS_AUTHENTICATION").await;
    a_person_must_choose(&finding, "AUTHENTICATE");
    says(&finding, &["10.00 EUR", "visa …4242"]);
    let page = finding["remedy"]["url"].as_str().expect("a page");
    let path = page.strip_prefix(app.base()).expect("a page of this server");
    let anonymous = app.anonymous();
    anonymous.send(anonymous.post(&format!("{path}?confirm=true"))).await;
    app.settle().await;
    all_is_well(&app).await;
    assert_eq!(buyer.balance().await["posted"], "110");
}

#[tokio::test]
async fn top_up_outcome_unknown_is_said_after_five_minutes_and_ends_by_itself() {
    let app = healthy().await;
    let buyer = Buyer::of(&app);
    let made = buyer.buy_with("card_hang", "10").await;
    assert_eq!(made["attempts"][0]["outcome"], "UNKNOWN");
    all_is_well(&app).await;
    for _ in 0..5 {
        app.advance(Duration::from_secs(59));
        app.settle().await;
        all_is_well(&app).await;
    }
    app.advance(Duration::from_secs(5));
    let finding = the_finding(&app, "TOP_UP_OUTCOME_UNKNOWN").await;
    a_person_must_choose(&finding, "WAIT");
    says(&finding, &["10.00 EUR", "2 March 2026, 09:00"]);
    assert_eq!(finding["since"], "2026-03-02T09:00:00.000Z");
    // The gateway reports no charge when it is asked. After another confirmation it charges.
    app.gateway().end_outage();
    for _ in 0..2 {
        app.advance(Duration::from_mins(6));
        app.settle().await;
    }
    all_is_well(&app).await;
    assert_eq!(buyer.charges(), 1);
}

#[tokio::test]
async fn account_frozen_stands_for_all_that_follows_from_it() {
    let app = healthy().await;
    let buyer = Buyer::of(&app);
    buyer.buy_with("card_declines_once", "10").await;
    let freeze = json!({ "accountId": app.team.id(), "reason": "The invoice of May is open." });
    app.platform.accept("freeze_account", freeze).await;
    let finding = the_finding(&app, "ACCOUNT_FROZEN").await;
    a_person_must_choose(&finding, "CONTACT_SUPPORT");
    says(&finding, &["The invoice of May is open.", "2 March 2026, 09:00"]);
    assert_eq!(proved_by(&finding), ["Account"]);
    app.platform
        .accept("unfreeze_account", json!({ "accountId": app.team.id() }))
        .await;
    assert_eq!(codes(&app).await, ["TOP_UP_FAILED"], "which is still the case");
}

#[tokio::test]
async fn the_worst_comes_first_and_a_closed_account_has_nothing_to_mend() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    buyer.buy_with("card_declined", "10").await;
    let found = findings(&app.team.owner.client).await;
    let severities: Vec<&Value> = found.iter().map(|finding| &finding["severity"]).collect();
    assert_eq!(severities, ["CRITICAL", "WARNING", "WARNING"], "{found:#?}");
    let input = json!({ "accountId": app.team.id(), "reason": "Gone" });
    app.platform.mutate("closeAccount", "", input).await;
    all_is_well(&app).await;
}
