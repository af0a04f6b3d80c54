//! A forecast considers credits that expire, frozen accounts, expired cards, and how long the account has had any credits.

use std::time::Duration;

use serde_json::{Value, json};

use super::{forecast, use_up};
use crate::harness::TestApp;
use crate::top_ups::Buyer;

async fn with_rule<'a>(app: &'a TestApp, trigger: &str) -> Buyer<'a> {
    let buyer = Buyer::of(app);
    buyer.add_card("card_ok").await;
    let on = json!({ "enabled": true, "trigger": trigger, "amount": "15", "consent": true });
    buyer.accept("updateAutoTopUp", "autoTopUp { state }", on).await;
    buyer
}

#[tokio::test]
async fn credits_that_run_out_of_time_bring_the_next_top_up_forward() {
    let app = TestApp::start().await;
    let expires_at = app.in_minutes(10 * 24 * 60);
    let input = json!({ "accountId": app.team.id(), "credits": "90", "description": "Gift", "expiresAt": expires_at,
        "idempotencyKey": "gift" });
    app.platform.mutate("grantCredits", "", input).await;
    app.top_up(20).await;
    for day in 0..7 {
        use_up(&app, "1", &format!("day {day}")).await;
        app.advance(Duration::from_hours(24));
    }
    with_rule(&app, "20").await;
    assert_eq!(forecast(&app).await["nextAutoTopUpAt"], json!(expires_at));
}

#[tokio::test]
async fn while_an_account_is_frozen_nothing_runs_out_and_nothing_is_bought() {
    let app = TestApp::start().await;
    app.top_up(120).await;
    for day in 0..3 {
        use_up(&app, "10", &format!("day {day}")).await;
        app.advance(Duration::from_hours(24));
    }
    with_rule(&app, "20").await;
    let active = forecast(&app).await;
    assert!(active["daysLeft"].as_f64().is_some_and(|days| days > 1.0), "{active}");
    assert!(active["nextAutoTopUpAt"].is_string(), "{active}");
    let input = json!({ "accountId": app.team.id(), "reason": "Unpaid" });
    app.platform.mutate("freezeAccount", "", input).await;
    let frozen = forecast(&app).await;
    for field in ["daysLeft", "depletedAt", "nextAutoTopUpAt"] {
        assert_eq!(frozen[field], Value::Null, "{field}");
    }
    assert_eq!(frozen["creditsPerDay"], active["creditsPerDay"]);
}

#[tokio::test]
async fn a_card_past_its_date_buys_nothing_next() {
    let app = TestApp::start().await;
    app.top_up(120).await;
    with_rule(&app, "20").await;
    app.advance(Duration::from_hours(24 * 366 * 14));
    for hour in 0..8 {
        use_up(&app, "1", &format!("hour {hour}")).await;
        app.advance(Duration::from_hours(1));
    }
    let foreseen = forecast(&app).await;
    assert!(foreseen["daysLeft"].is_number(), "{foreseen}");
    assert_eq!(foreseen["nextAutoTopUpAt"], Value::Null);
}

#[tokio::test]
async fn a_steady_use_is_the_rate_from_the_first_day_on() {
    let app = TestApp::start().await;
    app.top_up(300).await;
    let mut rates = Vec::new();
    for hour in 0..40 {
        app.advance(Duration::from_hours(1));
        use_up(&app, "2", &format!("hour {hour}")).await;
        let foreseen = forecast(&app).await;
        let rate: f64 = foreseen["creditsPerDay"]
            .as_str()
            .expect("a text")
            .parse()
            .expect("a number");
        if hour < 5 {
            assert_eq!((rate, &foreseen["basedOnDays"]), (0.0, &json!(0)), "hour {hour}");
        } else {
            rates.push(rate);
        }
    }
    assert!(rates.iter().all(|rate| (44.0..=57.0).contains(rate)), "{rates:?}");
    let jumps = rates.windows(2).map(|pair| (pair[0] - pair[1]).abs());
    assert!(jumps.fold(0.0, f64::max) < 3.0, "no day is a step: {rates:?}");
}
