//! Findings, their causes and remedies. For each code, the situation is created through the API. The test sees that finding and
//! no other. It sends the remedy unchanged, or acts as a person where a person must choose. Then the finding is gone.

mod auto_top_ups;
mod live;
mod notifications;
mod plans;
mod reading;
mod sessions;
mod top_ups;
mod viewers;

use serde_json::{Value, json};

use crate::harness::{Client, Person, TestApp, with};
use crate::notification;
use crate::top_ups::Buyer;

const FINDING: &str = "id code symptom severity summary cause since evidence { __typename id } \
    remedy { label action mutation variables url help }";

/// Returns all findings as the client sees them.
pub(crate) async fn findings(client: &Client) -> Vec<Value> {
    let query = format!("{{ account {{ troubleshooting {{ {FINDING} }} }} }}");
    let answer = client.query(&query, json!({})).await;
    answer
        .at("/account/troubleshooting")
        .as_array()
        .expect("a list")
        .clone()
}

/// Returns the codes of the team's findings.
pub(crate) async fn codes(app: &TestApp) -> Vec<String> {
    let found = findings(&app.team.owner.client).await;
    found
        .iter()
        .map(|finding| finding["code"].as_str().expect("a code").to_owned())
        .collect()
}

/// Returns the only finding of the team.
pub(crate) async fn the_finding(app: &TestApp, code: &str) -> Value {
    let found = findings(&app.team.owner.client).await;
    assert_eq!(found.len(), 1, "{code} and nothing else: {found:#?}");
    let finding = found.into_iter().next().expect("a finding");
    assert_eq!(finding["code"], code, "{finding:#}");
    for text in [&finding["summary"], &finding["cause"], &finding["remedy"]["help"]] {
        let text = text.as_str().expect("a text");
        let has_gaps = ["  ", " .", " ,", "{{"].iter().any(|gap| text.contains(gap));
        assert!(text.len() > 10 && !has_gaps, "{text}");
    }
    finding
}

pub(crate) async fn all_is_well(app: &TestApp) {
    let found = findings(&app.team.owner.client).await;
    assert!(found.is_empty(), "{found:#?}");
}

/// Sends the remedy unchanged, and returns the payload.
pub(crate) async fn send(client: &Client, finding: &Value) -> Value {
    let remedy = &finding["remedy"];
    let name = remedy["mutation"]
        .as_str()
        .unwrap_or_else(|| panic!("can be sent: {finding:#}"));
    let selection = if name == "completeSessions" {
        "results { userErrors { code field message } }"
    } else {
        ""
    };
    // The variables are used as they are: their only one is the input.
    let variables = remedy["variables"].as_object().expect("an object");
    assert_eq!(variables.len(), 1, "{finding:#}");
    client.apply(name, selection, variables["input"].clone()).await
}

/// Checks that the remedy is this one, and that a person must choose first.
pub(crate) fn a_person_must_choose(finding: &Value, action: &str) {
    let remedy = &finding["remedy"];
    assert_eq!(
        (&remedy["action"], &remedy["mutation"], &remedy["variables"]),
        (&json!(action), &Value::Null, &Value::Null),
        "{finding:#}"
    );
    assert!(
        remedy["help"].as_str().is_some_and(|help| help.len() > 10),
        "{finding:#}"
    );
}

/// Checks that the cause contains these figures.
pub(crate) fn says(finding: &Value, figures: &[&str]) {
    // Dates contain non-breaking spaces.
    let cause = finding["cause"].as_str().expect("a text").replace('\u{a0}', " ");
    for figure in figures {
        assert!(cause.contains(figure), "{figure:?} in {cause:?}");
    }
}

/// Returns the types of the objects that prove it.
pub(crate) fn proved_by(finding: &Value) -> Vec<&str> {
    let evidence = finding["evidence"].as_array().expect("a list");
    evidence
        .iter()
        .map(|node| node["__typename"].as_str().expect("a type"))
        .collect()
}

/// Returns a team without findings: 100 credits, verified addresses, and a member with a threshold of 5 credits.
pub(crate) async fn healthy() -> TestApp {
    let app = Box::pin(TestApp::start()).await;
    Box::pin(make_well(&app)).await;
    app
}

pub(crate) async fn make_well(app: &TestApp) {
    notification::verify(app, &app.team.owner).await;
    notification::verify(app, &app.team.admin).await;
    level(&app.team.owner, json!("5")).await;
    let input = json!({ "accountId": app.team.id(), "credits": "100", "description": "To begin with", "idempotencyKey": "begin" });
    app.platform.apply("grantCredits", "", input).await;
    all_is_well(app).await;
}

/// Sets a member's threshold for low credits.
pub(crate) async fn level(person: &Person, credits: Value) {
    notification::set(person, json!({ "lowBalanceThreshold": credits })).await;
}

pub(crate) async fn spend(app: &TestApp, credits: &str) {
    let key = uuid::Uuid::new_v4().to_string();
    let input = json!({ "accountId": app.team.id(), "amount": format!("-{credits}"), "description": "Spent", "idempotencyKey": key });
    app.platform.accept("adjust_credits", input).await;
}

/// Enables auto top-up, with consent.
pub(crate) async fn switch_on(buyer: &Buyer<'_>, trigger: &str, amount: &str, cap: Option<&str>) {
    let mut input = json!({ "enabled": true, "trigger": trigger, "amount": amount, "consent": true });
    if let Some(cap) = cap {
        input["monthlyCap"] = json!(cap);
    }
    change_rule(buyer, input).await;
}

/// Changes auto top-up as a member does.
pub(crate) async fn change_rule(buyer: &Buyer<'_>, input: Value) {
    buyer.accept("updateAutoTopUp", "autoTopUp { id }", input).await;
}

/// Books a session of the member, which lasts an hour from the next minute on. Returns its id.
pub(crate) async fn book(app: &TestApp, credits: &str) -> Value {
    let key = uuid::Uuid::new_v4().to_string();
    let booking = with(app.booking(credits, &key, 1..61), json!({ "title": "Yoga" }));
    json!(app.book(booking).await)
}

pub(crate) async fn complete(app: &TestApp, session: &Value) {
    let input = json!({ "sessionId": session, "idempotencyKey": uuid::Uuid::new_v4().to_string() });
    app.platform.apply("completeSession", "", input).await;
}

/// Returns an app with a rule whose card was refused, and another card that it may charge, with the id of the latter.
async fn a_card_beside_the_one_that_was_refused() -> (TestApp, String) {
    let app = healthy().await;
    let buyer = Buyer::of(&app);
    let good = buyer.add_card("card_ok").await;
    let input = json!({ "gatewayToken": "card_expired", "makeDefault": false });
    let refused = buyer.accept("addPaymentMethod", "paymentMethod { id }", input).await;
    let refused = &refused["paymentMethod"]["id"];
    switch_on(&buyer, "10", "50", None).await;
    change_rule(&buyer, json!({ "paymentMethodId": refused })).await;
    let input = json!({ "credits": "20", "paymentMethodId": refused, "idempotencyKey": "by hand" });
    buyer.accept("createTopUp", "topUp { id }", input).await;
    app.settle().await;
    (app, good)
}
