//! Forecasts, simulations of settings, and the balance of an account at any past instant.

mod explanation;
mod plans;
mod simulation;
mod truth;

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Dice, TestApp};

/// A day's work in an account: what members and the platform do with credits.
struct Play<'a> {
    app: &'a TestApp,
    dice: Dice,
    sessions: Vec<Value>,
    keys: u32,
}

impl<'a> Play<'a> {
    fn new(app: &'a TestApp, seed: u64) -> Self {
        Self {
            app,
            dice: Dice::new(seed),
            sessions: Vec::new(),
            keys: 0,
        }
    }

    fn amount(&mut self, most: usize) -> String {
        format!("{}.5", self.dice.below(most))
    }

    /// Requests a change. It may be refused.
    async fn ask(&mut self, name: &str, selection: &str, mut input: Value) -> Value {
        self.keys += 1;
        input["accountId"] = json!(self.app.team.id());
        if !name.contains("reeze") {
            input["idempotencyKey"] = json!(format!("key {}", self.keys));
        }
        self.app.platform.mutate(name, selection, input).await
    }

    fn a_session(&mut self) -> Value {
        let at = self.dice.below(self.sessions.len());
        self.sessions[at].clone()
    }

    async fn book(&mut self) {
        let (credits, ends) = (self.amount(9), 60 + self.dice.number(4_000));
        let input = json!({
            "memberId": self.app.team.member.id(), "title": "Lesson", "credits": credits,
            "startsAt": self.app.in_minutes(30), "endsAt": self.app.in_minutes(ends),
        });
        let booked = self.ask("bookSession", "session { id }", input).await;
        if booked["session"]["id"].is_string() {
            self.sessions.push(booked["session"]["id"].clone());
        }
    }

    async fn step(&mut self) {
        match self.dice.below(20) {
            0..=5 => self.book().await,
            _ if self.sessions.is_empty() => self.book().await,
            6..=8 => {
                let input = json!({
                    "sessionId": self.a_session(), "credits": self.amount(12),
                    "startsAt": self.app.in_minutes(30), "endsAt": self.app.in_minutes(90),
                });
                self.ask("rescheduleSession", "", input).await;
            }
            9..=12 => {
                let input = json!({ "sessionId": self.a_session(), "credits": self.amount(12), "allowOverage": true });
                self.ask("completeSession", "", input).await;
            }
            13 => {
                let input = json!({ "sessionId": self.a_session(), "fee": "0.5" });
                self.ask("cancelSession", "", input).await;
            }
            14 => {
                let input = json!({ "sessionId": self.a_session(), "credits": "0.5", "reason": "Sorry" });
                self.ask("refundSession", "", input).await;
            }
            15 | 16 => {
                let hours = 1 + self.dice.number(40);
                let expires_at = self.app.in_minutes(hours * 60);
                let input = json!({ "credits": self.amount(9), "description": "Gift", "expiresAt": expires_at });
                self.ask("grantCredits", "", input).await;
            }
            17 => {
                let input = json!({ "amount": format!("-{}", self.amount(9)), "description": "Correction" });
                self.ask("adjustCredits", "", input).await;
            }
            18 => {
                let credits = 1 + self.dice.number(20);
                self.app.top_up(credits).await;
            }
            _ => self.app.settle().await,
        }
    }

    fn wait(&mut self, most_minutes: i64) {
        let minutes = 1 + self.dice.number(most_minutes);
        self.app.advance(Duration::from_mins(minutes.unsigned_abs()));
    }
}

const FORECAST: &str = "{ account { forecast { creditsPerDay daysLeft depletedAt nextAutoTopUpAt expectedMonthlyCost { amount currency } \
    basedOnDays } } }";

async fn forecast(app: &TestApp) -> Value {
    let answer = app.team.admin.client.query(FORECAST, json!({})).await;
    answer.at("/account/forecast").clone()
}

async fn use_up(app: &TestApp, credits: &str, key: &str) {
    let session = app.book(app.booking(credits, key, 1..2)).await;
    let input = json!({ "sessionId": session, "idempotencyKey": format!("{key} done") });
    app.platform.accept("complete_session", input).await;
}

#[tokio::test]
async fn a_forecast_tells_how_long_credits_last_and_what_a_month_costs() {
    let app = TestApp::start().await;
    let nothing = forecast(&app).await;
    assert_eq!(
        (&nothing["creditsPerDay"], &nothing["basedOnDays"]),
        (&json!("0"), &json!(0))
    );
    assert_eq!(
        (&nothing["daysLeft"], &nothing["depletedAt"]),
        (&json!(0.0), &json!(app.in_minutes(0)))
    );
    app.top_up(100).await;
    assert_eq!(forecast(&app).await["daysLeft"], Value::Null, "nothing is used");
    for day in 0..5 {
        use_up(&app, "10", &format!("day {day}")).await;
        app.advance(Duration::from_hours(24));
    }
    let foreseen = forecast(&app).await;
    assert_eq!(foreseen["basedOnDays"], 5);
    let per_day: f64 = foreseen["creditsPerDay"]
        .as_str()
        .expect("text")
        .parse()
        .expect("a number");
    assert!((8.0..10.0).contains(&per_day), "{foreseen}");
    let days_left = foreseen["daysLeft"].as_f64().expect("days");
    assert!((days_left - 50.0 / per_day).abs() < 0.01, "{foreseen}");
    let cost: f64 = foreseen["expectedMonthlyCost"]["amount"]
        .as_str()
        .expect("text")
        .parse()
        .expect("a number");
    assert!((cost - per_day * 30.4375).abs() < 0.01, "{foreseen}");
    assert_eq!(foreseen["nextAutoTopUpAt"], Value::Null, "there is no rule");

    let card = "mutation { addPaymentMethod(input: { gatewayToken: \"card_ok\" }) { userErrors { code } } }";
    app.team.admin.client.query(card, json!({})).await.data();
    let rule = "mutation { updateAutoTopUp(input: { enabled: true, trigger: \"20\", amount: \"15\", monthlyCap: \"100\", consent: true }) \
        { userErrors { code } } }";
    let saved = app.team.admin.client.query(rule, json!({})).await.only_field();
    assert_eq!(saved["userErrors"], json!([]));
    let next = forecast(&app).await["nextAutoTopUpAt"]
        .as_str()
        .expect("an instant")
        .to_owned();
    let depleted = foreseen["depletedAt"].as_str().expect("an instant").to_owned();
    assert!(
        app.in_minutes(0) < next && next < depleted,
        "{next} comes before {depleted}"
    );
}

#[tokio::test]
async fn forecasts_are_for_those_who_see_the_whole_log() {
    let app = TestApp::start().await;
    app.top_up(10).await;
    for field in [
        "forecast { daysLeft }",
        "simulateAutoTopUp(trigger: \"1\", amount: \"1\") { chargeCount }",
        "explainBalance { posted }",
    ] {
        let query = format!("{{ account {{ seen: {field} }} }}");
        let hidden = app.team.member.client.query(&query, json!({})).await;
        assert_eq!(hidden.at("/account/seen"), &json!(null), "{field}");
        app.team.owner.client.query(&query, json!({})).await.data();
        assert_eq!(
            app.anonymous().query(&query, json!({})).await.error_code(),
            "UNAUTHENTICATED"
        );
    }
}
