//! F54: a balance that oscillates around a threshold.

use std::time::Duration;

use ledgerbell::domain::notification::Progress;
use serde_json::{Value, json};

use super::{adjust, complete, deliveries, kinds, set, verify};
use crate::harness::TestApp;

/// Crossings in one hour.
const CROSSINGS: usize = 1_000;

/// What a member receives in a storm: each alert is in the inbox, with at most one mail per hour. The deliveries show what was
/// not sent, and why.
#[tokio::test]
async fn f54_a_thousand_crossings_in_an_hour_are_two_mails() {
    let app = TestApp::start().await;
    let owner = &app.team.owner;
    verify(&app, owner).await;
    set(owner, json!({ "lowBalanceThreshold": "50" })).await;
    app.top_up(60).await;
    app.evaluate().await;
    for _ in 0..CROSSINGS / 2 {
        adjust(&app, "-20").await;
        app.mail().await;
        adjust(&app, "20").await;
        app.advance(Duration::from_secs(5));
    }
    let mails = app.mail().await;
    let low = mails
        .iter()
        .filter(|mail| mail.contains("Subject: Credits are running low"));
    assert_eq!(low.count(), 1, "the first one");
    let seen = kinds(owner).await;
    assert_eq!(seen.len(), 100, "as many as a page has");
    assert!(
        seen.iter()
            .all(|kind| kind == "LOW_BALANCE" || kind == "BALANCE_RECOVERED")
    );
    for mail in deliveries(&app, owner)
        .await
        .iter()
        .filter(|one| one["channel"] == "EMAIL")
    {
        let expected = match mail["alert"]["kind"].as_str() {
            Some("LOW_BALANCE") => json!(["SUPPRESSED", "ENDED"]),
            _ => json!(["SUPPRESSED", "PREFERENCE_OFF"]),
        };
        assert_eq!(json!([mail["status"], mail["suppressedBecause"]]), expected);
    }
    // Within the margin, a crossing counts neither as new nor as ended.
    let before = unread(&app).await;
    adjust(&app, "-10").await;
    for _ in 0..100 {
        adjust(&app, "4").await;
        adjust(&app, "-4").await;
    }
    assert_eq!(unread(&app).await, before + 1, "once, for it is low again");
    // An hour later a new crossing causes a mail.
    app.advance(Duration::from_hours(1));
    adjust(&app, "10").await;
    adjust(&app, "-40").await;
    let mails = app.mail().await;
    let low = mails
        .iter()
        .filter(|mail| mail.contains("Subject: Credits are running low"));
    assert_eq!(low.count(), 2);
}

#[tokio::test]
async fn sessions_that_are_told_at_once_are_all_in_one_mail() {
    let app = TestApp::start().await;
    let member = &app.team.member;
    verify(&app, member).await;
    let on = json!({ "preferences": [{ "kind": "SESSION_CHARGED", "channel": "EMAIL", "enabled": true }] });
    set(member, on).await;
    app.top_up(100).await;
    app.evaluate().await;
    for name in ["one", "two", "three"] {
        complete(&app, &app.team, name).await;
    }
    let alerts = &app.services().alerts;
    let alone = alerts.evaluate(&[app.team.account.id], &mut Progress::default()).await;
    assert_eq!(alone, Ok(Vec::new()), "all are raised by one transaction");
    let deliveries = deliveries(&app, member).await;
    let sessions = deliveries
        .iter()
        .filter(|one| one["alert"]["kind"] == "SESSION_CHARGED");
    let of = |channel: &str| -> Vec<_> {
        let found = sessions.clone().filter(|one| one["channel"] == channel);
        let mut found: Vec<_> = found
            .map(|one| (one["status"].to_string(), one["suppressedBecause"].to_string()))
            .collect();
        found.sort();
        found
    };
    let fate = |status: &str, because: Value| (json!(status).to_string(), because.to_string());
    assert_eq!(of("IN_APP"), vec![fate("SENT", Value::Null); 3]);
    assert_eq!(of("EMAIL"), vec![fate("QUEUED", Value::Null); 3], "each is a fact");
    let mails = app.mail().await;
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert!(mails[0].contains("Subject: 3 messages"), "{}", mails[0]);
}

async fn unread(app: &TestApp) -> i64 {
    let answer = app
        .team
        .owner
        .client
        .query("{ account { alerts { unreadCount } } }", json!({}))
        .await;
    answer.at("/account/alerts/unreadCount").as_i64().expect("a number")
}
