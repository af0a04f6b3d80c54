//! The three complaints of the help page, from beginning to end, as a member of a team experiences them.
//!
//! Written for people who answer such complaints: each step is something that a person sees or does, through the public API
//! only.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Person, TestApp};
use crate::notification::{deliveries, smtp};
use crate::top_ups::Buyer;
use crate::troubleshooting::{
    a_person_must_choose, all_is_well, book, change_rule, complete, findings, healthy, make_well, says, send, spend,
    switch_on, the_finding,
};

/// Returns the team's available credits.
async fn available(app: &TestApp) -> String {
    let balance = Buyer::of(app).balance().await;
    balance["available"].as_str().expect("an amount").to_owned()
}

/// Returns the newest entry of the credit log: its kind, amount and session.
async fn last_line(person: &Person) -> (Value, Value, Value) {
    let query = "{ account { creditLog(first: 1) { nodes { kind amount session { title } } } } }";
    let answer = person.client.query(query, json!({})).await;
    let line = answer.at("/account/creditLog/nodes/0").clone();
    (
        line["kind"].clone(),
        line["amount"].clone(),
        line["session"]["title"].clone(),
    )
}

/// Returns the result of the newest test mail to a member.
async fn test_mail(app: &TestApp, person: &Person) -> Value {
    let mails = deliveries(app, person).await;
    let test = mails.iter().find(|mail| mail["alert"]["kind"] == "TEST");
    test.expect("a test")["status"].clone()
}

/// "Our credit balance does not increase although auto top-up is on."
#[tokio::test]
async fn the_balance_does_not_increase_despite_auto_top_up() {
    // Olga's team has 100 credits. Below 20 their card is charged for another 50.
    let app = healthy().await;
    let olga = Buyer {
        app: &app,
        client: &app.team.owner.client,
    };
    olga.add_card("card_declines_once").await;
    switch_on(&olga, "20", "50", None).await;

    // The team uses most of it, and nothing is added: their bank has declined.
    spend(&app, "85").await;
    app.settle().await;
    assert_eq!(available(&app).await, "15");

    // Olga is notified at once, and the alert leads her to the problem.
    app.evaluate().await;
    let inbox = "{ account { alerts(first: 10) { nodes { kind action { nextStep } } } } }";
    let inbox = olga.client.query(inbox, json!({})).await;
    let alerts = inbox.at("/account/alerts/nodes").as_array().expect("a list").clone();
    let told = alerts
        .iter()
        .find(|alert| alert["kind"] == "TOP_UP_FAILED")
        .expect("she is told");
    assert_eq!(told["action"]["nextStep"], "RETRY_TOP_UP");

    // She asks what is wrong: which card, how much, when, and why.
    let finding = the_finding(&app, "TOP_UP_FAILED").await;
    assert_eq!(finding["symptom"], "TOP_UP_FAILED");
    says(&finding, &["50.00 EUR", "visa …4242", "the bank declined the charge"]);
    // The finding asks her to check her payment information, and to retry. It would be retried automatically an hour later.
    says(&finding, &["It is retried automatically on 2 March 2026, 10:00"]);
    let help = finding["remedy"]["help"].as_str().expect("a text");
    assert!(help.contains("Verify your payment information"), "{help}");
    assert_eq!(finding["remedy"]["label"], "Retry top-up");

    // She has called her bank and presses the button. Nothing happens for a moment, so she presses again.
    send(olga.client, &finding).await;
    send(olga.client, &finding).await;
    app.settle().await;

    // The credits are there, they were paid once, and nothing is wrong any more.
    assert_eq!((available(&app).await.as_str(), olga.charges()), ("65", 1));
    all_is_well(&app).await;
}

/// "Our deductions do not show at once."
#[tokio::test]
async fn deductions_do_not_show_at_once() {
    // Mia has booked yoga for 30 of the team's 100 credits.
    let app = healthy().await;
    let olga = Buyer {
        app: &app,
        client: &app.team.owner.client,
    };
    let session = book(&app, "30").await;

    // The hour is over, and the log does not show it yet. But the credits cannot be spent twice.
    app.advance(Duration::from_mins(62));
    assert_eq!(last_line(&app.team.owner).await.0, "GRANT");
    assert_eq!(available(&app).await, "70");

    // Olga asks why. The finding asks her to allow time to process, and says until when.
    let finding = the_finding(&app, "SESSIONS_PROCESSING").await;
    assert_eq!(
        (&finding["symptom"], &finding["severity"]),
        (&json!("DEDUCTION_NOT_SHOWING"), &json!("INFO"))
    );
    says(&finding, &["30 credits are held", "expected by 2 March 2026, 10:16"]);
    let help = finding["remedy"]["help"].as_str().expect("a text");
    assert!(help.contains("Allow time to process"), "{help}");

    // Ten minutes later the studio reports that Mia attended, and the log shows which session it was.
    app.advance(Duration::from_mins(10));
    complete(&app, &session).await;
    assert_eq!(
        last_line(&app.team.owner).await,
        (json!("SESSION"), json!("-30"), json!("Yoga"))
    );
    all_is_well(&app).await;

    // Olga enables auto top-up with low values: at 10 credits, by 20. That is too little for a session of 30, and a finding
    // says so.
    olga.add_card("card_ok").await;
    switch_on(&olga, "10", "20", None).await;
    let found = findings(olga.client).await;
    let codes: Vec<&Value> = found.iter().map(|finding| &finding["code"]).collect();
    assert_eq!(codes, ["TRIGGER_BELOW_TYPICAL_SESSION", "AMOUNT_BELOW_TYPICAL_SESSION"]);
    for finding in &found {
        a_person_must_choose(finding, "UPDATE_AUTO_TOP_UP");
        says(finding, &["up to 30"]);
    }

    // With the right amount and trigger, enough credits are available for the next session.
    change_rule(&olga, json!({ "trigger": "30", "amount": "60", "consent": true })).await;
    all_is_well(&app).await;
    spend(&app, "45").await;
    app.settle().await;
    assert_eq!(available(&app).await, "85");
    book(&app, "30").await;
    all_is_well(&app).await;
}

/// "We do not receive notifications."
#[tokio::test]
async fn notifications_are_not_received() {
    // The team's mail is sent by a mail system that works.
    let (app, server) = smtp::start().await;
    make_well(&app).await;
    let (olga, adam) = (&app.team.owner, &app.team.admin);

    // Adam's company has changed its name, and his old address no longer exists. The next mail to him bounces.
    server.answer(smtp::Answer::Refuse("550 5.1.1 no such user here"));
    smtp::test_by_mail(&app, adam).await;
    app.mail().await;
    assert_eq!(test_mail(&app, adam).await, "BOUNCED");

    // Adam asks Olga, who checks: mail to him bounces, since when, and with which message.
    let finding = the_finding(&app, "CONTACT_BOUNCING").await;
    assert_eq!(finding["symptom"], "NOTIFICATION_NOT_RECEIVED");
    says(&finding, &["adam@team.example", "does not know this mailbox"]);
    a_person_must_choose(&finding, "UPDATE_CONTACT");
    let help = finding["remedy"]["help"].as_str().expect("a text");
    assert!(help.contains("Update the contact information"), "{help}");

    // He enters his new address. It is not verified yet: one press sends a code to it.
    server.answer(smtp::Answer::Take);
    app.advance(Duration::from_mins(1));
    adam.client
        .mutate("updateContact", "", json!({ "email": "adam@new.example" }))
        .await;
    let finding = the_finding(&app, "CONTACT_UNVERIFIED").await;
    send(&adam.client, &finding).await;
    let taken = server.taken();
    let mail = taken.last().expect("a mail with a code");
    let subject = mail
        .lines()
        .find(|line| line.starts_with("Subject: "))
        .expect("a subject");
    let code: String = subject.chars().filter(char::is_ascii_digit).collect();
    let verified = adam.client.mutate("verifyContact", "", json!({ "code": code })).await;
    assert_eq!(verified["userErrors"], json!([]));
    all_is_well(&app).await;

    // To be sure, he sends a test, and it arrives.
    smtp::test_by_mail(&app, adam).await;
    app.mail().await;
    assert_eq!(test_mail(&app, adam).await, "SENT");

    // Olga had disabled the alert that credits run low, and no other member receives it. One press enables it again.
    let preference = |channel: &str| json!({ "kind": "LOW_BALANCE", "channel": channel, "enabled": false });
    let off = json!({ "preferences": [preference("EMAIL"), preference("IN_APP")] });
    olga.client.mutate("updateNotificationSettings", "", off).await;
    let finding = the_finding(&app, "LOW_BALANCE_MUTED").await;
    let help = finding["remedy"]["help"].as_str().expect("a text");
    assert!(help.contains("Check the notification settings"), "{help}");
    send(&olga.client, &finding).await;
    all_is_well(&app).await;
    spend(&app, "96").await;
    app.evaluate().await;
    let inbox = "{ account { alerts(first: 5) { nodes { kind } } } }";
    let inbox = olga.client.query(inbox, json!({})).await;
    let kinds = inbox.at("/account/alerts/nodes").as_array().expect("a list").clone();
    assert!(kinds.iter().any(|alert| alert["kind"] == "LOW_BALANCE"), "{kinds:?}");
}
