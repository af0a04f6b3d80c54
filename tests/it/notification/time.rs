//! Alerts at points in time: about credits that expire, and cards.

use std::time::Duration;

use serde_json::{Value, json};

use super::{adjust, inbox};
use crate::harness::TestApp;
use crate::top_ups::Buyer;

const DAY: Duration = Duration::from_hours(24);
const SECOND: Duration = Duration::from_secs(1);

/// Grants credits to the team that expire in this number of hours.
async fn grant(app: &TestApp, credits: &str, hours: i64) {
    let input = json!({ "accountId": app.team.id(), "credits": credits, "description": "Gift",
        "expiresAt": app.in_minutes(hours * 60), "idempotencyKey": format!("{credits} {hours} {}", app.in_minutes(0)) });
    app.platform.apply("grantCredits", "", input).await;
    app.evaluate().await;
}

/// Advances the clock and runs the scheduled work.
async fn later(app: &TestApp, by: Duration) {
    app.advance(by);
    app.settle().await;
    app.evaluate().await;
}

/// Returns the owner's alerts of a kind, newest first: the text, and whether it has ended.
async fn told(app: &TestApp, kind: &str) -> Vec<(String, bool)> {
    let (alerts, _) = inbox(&app.team.owner.client).await;
    let of_kind = alerts.iter().filter(|alert| alert["kind"] == kind);
    of_kind
        .map(|alert| {
            let body = alert["body"].as_str().expect("a text").to_owned();
            (body, alert["resolvedAt"] != Value::Null)
        })
        .collect()
}

#[tokio::test]
async fn credits_that_expire_are_told_a_week_and_a_day_before_and_no_longer() {
    let app = TestApp::start().await;
    grant(&app, "10", 10 * 24).await;
    grant(&app, "5", 10 * 24).await;
    assert!(told(&app, "CREDITS_EXPIRING").await.is_empty());
    later(&app, (3 * DAY).saturating_sub(SECOND)).await;
    assert!(told(&app, "CREDITS_EXPIRING").await.is_empty());
    later(&app, SECOND).await;
    let week = told(&app, "CREDITS_EXPIRING").await;
    assert_eq!(
        week,
        [("15 credits expire on 12\u{a0}March 2026, 09:00 UTC.".to_owned(), false)]
    );
    later(&app, 2 * DAY).await;
    assert_eq!(told(&app, "CREDITS_EXPIRING").await.len(), 1, "once");
    adjust(&app, "-12").await;
    later(&app, 4 * DAY).await;
    let day = told(&app, "CREDITS_EXPIRING").await;
    assert_eq!(day.len(), 2);
    assert_eq!(
        day[0],
        ("3 credits expire on 12\u{a0}March 2026, 09:00 UTC.".to_owned(), false),
        "what is left"
    );
    assert!(day[1].1, "the second takes the place of the first");
    later(&app, DAY).await;
    let after = told(&app, "CREDITS_EXPIRING").await;
    assert!(after.len() == 2 && after[0].1, "they are gone: {after:?}");
}

#[tokio::test]
async fn credits_that_were_used_are_not_told_of_and_frozen_ones_do_not_expire() {
    let app = TestApp::start().await;
    grant(&app, "10", 8 * 24).await;
    adjust(&app, "-10").await;
    later(&app, 2 * DAY).await;
    assert!(
        told(&app, "CREDITS_EXPIRING").await.is_empty(),
        "nothing is left of them"
    );
    grant(&app, "7", 8 * 24).await;
    let freeze = json!({ "accountId": app.team.id(), "reason": "Invoice" });
    app.platform.accept("freeze_account", freeze).await;
    app.evaluate().await;
    later(&app, 30 * DAY).await;
    assert!(told(&app, "CREDITS_EXPIRING").await.is_empty(), "nothing expires");
    app.platform
        .accept("unfreeze_account", json!({ "accountId": app.team.id() }))
        .await;
    app.evaluate().await;
    later(&app, DAY.saturating_sub(SECOND)).await;
    assert!(
        told(&app, "CREDITS_EXPIRING").await.is_empty(),
        "they were given as many days"
    );
    later(&app, Duration::from_secs(2)).await;
    assert_eq!(told(&app, "CREDITS_EXPIRING").await.len(), 1);
    // Granted with less than a day left: one alert, at once.
    grant(&app, "3", 5).await;
    assert_eq!(told(&app, "CREDITS_EXPIRING").await.len(), 2);
    grant(&app, "3", 40 * 24).await;
    assert_eq!(told(&app, "CREDITS_EXPIRING").await.len(), 2, "it is early days");
}

#[tokio::test]
async fn the_default_card_is_told_of_a_month_before_it_expires_until_there_is_another() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_ok").await;
    app.evaluate().await;
    // It is valid until the end of 2039, half a day longer where the day ends last.
    let begin: chrono::DateTime<chrono::Utc> = app.in_minutes(0).parse().expect("an instant");
    let month_before: chrono::DateTime<chrono::Utc> = "2039-12-02T12:00:00Z".parse().expect("an instant");
    later(
        &app,
        (month_before - begin).to_std().expect("later").saturating_sub(SECOND),
    )
    .await;
    assert!(told(&app, "CARD_EXPIRING").await.is_empty());
    later(&app, SECOND).await;
    let once = told(&app, "CARD_EXPIRING").await;
    assert_eq!(once.len(), 1);
    assert!(once[0].0.contains("until the end of 31\u{a0}December 2039"), "{once:?}");
    later(&app, 40 * DAY).await;
    assert_eq!(
        told(&app, "CARD_EXPIRING").await,
        once,
        "an expired card still needs another"
    );
    let list = buyer
        .client
        .query("{ account { paymentMethods { id } } }", json!({}))
        .await;
    let id = list.at("/account/paymentMethods/0/id").clone();
    buyer
        .accept(
            "removePaymentMethod",
            "paymentMethod { id }",
            json!({ "paymentMethodId": id }),
        )
        .await;
    app.evaluate().await;
    assert!(told(&app, "CARD_EXPIRING").await[0].1, "it is no longer charged");
}

#[tokio::test]
async fn credits_that_are_good_for_whole_days_are_told_by_their_last_day() {
    let app = TestApp::start().await;
    // It is 09:00. Five days and fifteen hours later a day ends.
    grant(&app, "8", 5 * 24 + 15).await;
    grant(&app, "1", 5 * 24 + 13).await;
    let mut words: Vec<_> = told(&app, "CREDITS_EXPIRING")
        .await
        .into_iter()
        .map(|(words, _)| words)
        .collect();
    words.sort_unstable(); // They were raised at the same instant, so their order is not defined.
    assert_eq!(
        words,
        [
            "1 credit expires on 7\u{a0}March 2026, 22:00 UTC.",
            "8 credits can be used until the end of 7\u{a0}March 2026."
        ]
    );
}
