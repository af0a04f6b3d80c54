//! Alerts stay true: conditions end, facts are never open, and waiting mail is sent only while its content is true.

use std::time::Duration;

use serde_json::{Value, json};

use super::smtp::{self, Answer};
use super::{adjust, code, inbox, kinds, mail_of, set, verify};
use crate::harness::{Person, TestApp, with};

/// Returns the kinds of the open alerts in a member's inbox.
async fn open(person: &Person) -> Vec<String> {
    let query = "{ account { alerts(filter: { openOnly: true }, first: 100) { nodes { kind resolvedAt } } } }";
    let answer = person.client.query(query, json!({})).await;
    let nodes = answer.at("/account/alerts/nodes").as_array().expect("a list").clone();
    let kinds = nodes
        .iter()
        .map(|node| node["kind"].as_str().expect("a kind").to_owned());
    kinds.collect()
}

#[tokio::test]
async fn a_session_that_is_completed_after_all_ends_its_alert() {
    let app = TestApp::start().await;
    app.top_up(40).await;
    let named = json!({ "externalId": "late", "title": "Late" });
    let book = with(app.booking("7", "book late", 1..31), named);
    app.platform.accept("book_session", book).await;
    app.advance(Duration::from_hours(73));
    app.settle().await;
    app.evaluate().await;
    assert_eq!(open(&app.team.owner).await, ["SESSION_UNRESOLVED"]);
    let complete = json!({ "accountId": app.team.id(), "externalId": "late", "idempotencyKey": "complete late" });
    app.platform.accept("complete_session", complete).await;
    app.evaluate().await;
    assert_eq!(open(&app.team.owner).await, [""; 0]);
    let (alerts, _) = inbox(&app.team.owner.client).await;
    let unresolved = alerts.iter().find(|alert| alert["kind"] == "SESSION_UNRESOLVED");
    assert!(unresolved.expect("it is still listed")["resolvedAt"].is_string());
}

#[tokio::test]
async fn facts_are_never_listed_as_open() {
    let app = TestApp::start().await;
    app.top_up(20).await;
    app.evaluate().await;
    super::complete(&app, &app.team, "one").await;
    app.evaluate().await;
    let test = json!({ "channel": "IN_APP" });
    app.team.member.client.mutate("sendTestNotification", "", test).await;
    assert_eq!(kinds(&app.team.member).await.len(), 2);
    assert_eq!(open(&app.team.member).await, [""; 0]);
    assert_eq!(open(&app.team.owner).await, [""; 0]);
}

#[tokio::test]
async fn credits_that_are_used_end_the_reminder_of_their_expiry_at_once() {
    let app = TestApp::start().await;
    let grant = json!({ "accountId": app.team.id(), "credits": "9", "description": "Gift",
        "expiresAt": app.in_minutes(5 * 24 * 60), "idempotencyKey": "gift" });
    let granted = app.platform.mutate("grantCredits", "entry { id }", grant).await;
    assert_eq!(code(&granted), "accepted", "{granted}");
    app.evaluate().await;
    assert_eq!(open(&app.team.owner).await, ["CREDITS_EXPIRING"]);
    adjust(&app, "-4").await;
    assert_eq!(open(&app.team.owner).await, ["CREDITS_EXPIRING"], "five are left");
    adjust(&app, "-5").await;
    assert!(!open(&app.team.owner).await.contains(&"CREDITS_EXPIRING".to_owned()));
}

#[tokio::test]
async fn a_lower_threshold_is_no_recovery() {
    let app = TestApp::start().await;
    let (olga, adam) = (&app.team.owner, &app.team.admin);
    for person in [olga, adam] {
        verify(&app, person).await;
        set(person, json!({ "lowBalanceThreshold": "80" })).await;
    }
    app.top_up(120).await;
    app.evaluate().await;
    adjust(&app, "-70").await;
    set(olga, json!({ "lowBalanceThreshold": "20" })).await;
    app.evaluate().await;
    assert_eq!(kinds(olga).await, ["LOW_BALANCE", "TOP_UP_SUCCEEDED"], "no recovery");
    assert_eq!(open(olga).await, [""; 0], "it is over for her");
    assert_eq!(open(adam).await, ["LOW_BALANCE"], "and goes on for him");
    // The mail has the same content.
    let mails = app.mail().await;
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(
        mail_of(&app, olga, "LOW_BALANCE").await,
        (json!("SUPPRESSED"), json!("ENDED"))
    );
    assert_eq!(mail_of(&app, adam, "LOW_BALANCE").await.0, "SENT");
}

#[tokio::test]
async fn the_first_purchase_raises_no_alarm_and_one_by_hand_holds_it_back() {
    let app = TestApp::start().await;
    let buyer = crate::top_ups::Buyer::of(&app);
    buyer.buy_with("card_ok", "12").await;
    app.evaluate().await;
    let seen = kinds(&app.team.owner).await;
    assert_eq!(seen, ["TOP_UP_SUCCEEDED"], "it has never had anything before");
}

#[tokio::test]
async fn what_still_holds_when_the_pause_is_over_is_mailed() {
    let app = TestApp::start().await;
    let olga = &app.team.owner;
    verify(&app, olga).await;
    app.top_up(10).await;
    app.evaluate().await;
    adjust(&app, "-10").await;
    let mails = async || {
        let mails = app.mail().await.into_iter();
        mails.filter(|mail| mail.contains("<olga@team.example>")).count()
    };
    assert_eq!(mails().await, 1);
    app.advance(Duration::from_mins(10));
    adjust(&app, "6").await;
    adjust(&app, "-6").await;
    assert_eq!(mails().await, 1, "not twice an hour");
    app.advance(Duration::from_hours(1));
    assert_eq!(mails().await, 2, "there is still nothing");
    app.advance(Duration::from_hours(72));
    assert_eq!(mails().await, 2, "once for each time");
}

#[tokio::test]
async fn a_second_fact_of_a_kind_is_mailed_as_well() {
    let app = TestApp::start().await;
    let mia = &app.team.member;
    verify(&app, mia).await;
    set(
        mia,
        json!({ "preferences": [{ "kind": "SESSION_CHARGED", "channel": "EMAIL", "enabled": true }] }),
    )
    .await;
    app.top_up(30).await;
    app.evaluate().await;
    for (number, name) in ["one", "two", "three"].into_iter().enumerate() {
        super::complete(&app, &app.team, name).await;
        app.evaluate().await;
        assert_eq!(app.mail().await.len(), number + 1);
        app.advance(Duration::from_mins(3));
    }
}

#[tokio::test]
async fn f52_a_refund_is_mailed_as_it_was_posted_and_not_at_all_when_it_is_refused() {
    let app = TestApp::start().await;
    let mia = &app.team.member;
    verify(&app, mia).await;
    set(
        mia,
        json!({ "preferences": [{ "kind": "SESSION_REFUNDED", "channel": "EMAIL", "enabled": true }] }),
    )
    .await;
    app.top_up(30).await;
    super::complete(&app, &app.team, "one").await;
    app.evaluate().await;
    let refund = async |credits: &str| {
        let input = json!({ "accountId": app.team.id(), "externalId": "one", "credits": credits, "reason": "Rained off",
            "idempotencyKey": format!("refund {credits}") });
        let payload = app.platform.mutate("refundSession", "", input).await;
        app.evaluate().await;
        code(&payload).to_owned()
    };
    assert_ne!(refund("3.5").await, "accepted", "3 were charged");
    assert_eq!(app.mail().await.len(), 0);
    assert_eq!(refund("2").await, "accepted");
    let mails = app.mail().await;
    assert_eq!(mails.len(), 1);
    assert!(
        mails[0].contains("2 credits") && !mails[0].contains("3.5"),
        "{}",
        mails[0]
    );
    assert_ne!(refund("1.25").await, "accepted", "1 is left of the charge");
    assert_eq!(app.mail().await.len(), 1);
}

#[tokio::test]
async fn a_digest_of_many_alerts_is_one_mail_however_many_are_claimed_at_once() {
    let app = TestApp::start().await;
    let mia = &app.team.member;
    verify(&app, mia).await;
    let input = json!({ "quietHours": { "start": "08:00", "end": "10:00" },
        "preferences": [{ "kind": "SESSION_CHARGED", "channel": "EMAIL", "enabled": true }] });
    set(mia, input).await;
    app.top_up(200).await;
    app.evaluate().await;
    for number in 0..23 {
        super::complete(&app, &app.team, &format!("session {number}")).await;
        app.advance(Duration::from_secs(1));
    }
    app.evaluate().await;
    app.advance(Duration::from_hours(1));
    while app.services().outbox.send_due(5).await.expect("mail is sent") > 0 {}
    let mails = app.mail().await;
    assert_eq!(mails.len(), 1, "{} mails", mails.len());
    assert!(mails[0].contains("Subject: 23 messages"), "{}", mails[0]);
}

#[tokio::test]
async fn quiet_hours_that_are_removed_release_the_mail_that_waits() {
    let app = TestApp::start().await;
    let olga = &app.team.owner;
    verify(&app, olga).await;
    set(
        olga,
        json!({ "lowBalanceThreshold": "50", "quietHours": { "start": "08:00", "end": "20:00" } }),
    )
    .await;
    app.top_up(60).await;
    app.evaluate().await;
    adjust(&app, "-20").await;
    assert_eq!(app.mail().await.len(), 0, "it is 09:00");
    set(olga, json!({ "quietHours": null })).await;
    assert_eq!(app.mail().await.len(), 1);
}

#[tokio::test]
async fn after_an_outage_of_the_mail_system_only_what_still_holds_is_sent_and_not_at_night() {
    let (app, server) = smtp::start().await;
    let (olga, adam) = (&app.team.owner, &app.team.admin);
    for person in [olga, adam] {
        verify(&app, person).await;
        set(person, json!({ "lowBalanceThreshold": "30" })).await;
    }
    set(adam, json!({ "quietHours": { "start": "09:30", "end": "12:00" } })).await;
    app.top_up(50).await;
    app.evaluate().await;
    server.answer(Answer::Refuse("451 4.7.1 try again later"));
    adjust(&app, "-25").await;
    app.mail().await;
    assert_eq!(mail_of(&app, olga, "LOW_BALANCE").await.0, "QUEUED", "refused for now");
    server.answer(Answer::Take);
    // The mail system works again during Adam's quiet hours, and the condition has ended for Olga.
    set(olga, json!({ "lowBalanceThreshold": "5" })).await;
    app.evaluate().await;
    app.advance(Duration::from_hours(1));
    app.mail().await;
    assert_eq!(
        mail_of(&app, olga, "LOW_BALANCE").await,
        (json!("SUPPRESSED"), json!("ENDED"))
    );
    assert_eq!(mail_of(&app, adam, "LOW_BALANCE").await, (json!("QUEUED"), Value::Null));
    assert_eq!(server.taken().len(), 0);
    app.advance(Duration::from_hours(2));
    app.mail().await;
    assert_eq!(mail_of(&app, adam, "LOW_BALANCE").await.0, "SENT", "at noon");
    assert_eq!(server.taken().len(), 1);
}
