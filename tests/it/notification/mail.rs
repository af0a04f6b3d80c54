//! Mail written into files: recipients, texts, when it waits and why it is not sent.

use std::time::Duration;

use serde_json::{Value, json};

use super::{adjust, code, deliveries, mail_of, set, verify};
use crate::harness::{Client, Team, TestApp};

fn to<'a>(mails: &'a [String], address: &str) -> Vec<&'a String> {
    mails
        .iter()
        .filter(|mail| mail.contains(&format!("<{address}>")) || mail.contains(&format!("To: {address}")))
        .collect()
}

#[tokio::test]
async fn critical_mail_goes_to_admins_at_once_even_to_addresses_in_doubt() {
    let app = TestApp::start_with(&[("app_url", "https://app.example/credits")]).await;
    app.top_up(10).await;
    app.evaluate().await;
    adjust(&app, "-12.5").await;
    let mails = app.mail().await;
    assert_eq!(mails.len(), 2, "{mails:?}");
    for address in ["olga@team.example", "adam@team.example"] {
        let mail = to(&mails, address)[0];
        assert!(mail.contains("Subject: Out of credits"), "{mail}");
        assert!(mail.contains("Message-ID: <dlv_"));
        assert!(
            mail.contains("https://app.example/credits?action=3DTOP_UP&amp;alert=3D") || mail.contains("action"),
            "{mail}"
        );
        assert!(
            !mail.contains("List-Unsubscribe"),
            "what is critical cannot be switched off"
        );
    }
    let sent = deliveries(&app, &app.team.owner).await;
    let mail = sent
        .iter()
        .find(|one| one["channel"] == "EMAIL" && one["status"] == "SENT")
        .expect("a mail");
    assert_eq!(
        (&mail["address"], &mail["attempts"]),
        (&json!("o***@team.example"), &json!(1))
    );
    assert_eq!(app.mail().await.len(), 2, "nothing is sent twice");
}

#[tokio::test]
async fn f59_why_a_mail_was_not_sent_is_written_down() {
    let app = TestApp::start().await;
    let Team { owner, admin, .. } = &app.team;
    verify(&app, owner).await;
    set(owner, json!({ "lowBalanceThreshold": "50" })).await;
    set(admin, json!({ "lowBalanceThreshold": "50" })).await;
    app.top_up(100).await;
    app.evaluate().await;
    adjust(&app, "-60").await;
    assert_eq!(
        mail_of(&app, admin, "LOW_BALANCE").await,
        (json!("SUPPRESSED"), json!("CONTACT_UNVERIFIED"))
    );
    assert_eq!(
        mail_of(&app, owner, "LOW_BALANCE").await,
        (json!("QUEUED"), Value::Null)
    );
    assert_eq!(
        mail_of(&app, owner, "TOP_UP_SUCCEEDED").await,
        (json!("SUPPRESSED"), json!("PREFERENCE_OFF"))
    );
    let mails = app.mail().await;
    assert_eq!((mails.len(), to(&mails, "olga@team.example").len()), (1, 1));
    assert!(mails[0].contains("List-Unsubscribe") || !mails[0].contains("app.example"));

    // F54: a storm of crossings causes at most one mail per hour. Conditions that still hold after the hour are mailed then.
    adjust(&app, "60").await;
    adjust(&app, "-60").await;
    assert_eq!(
        mail_of(&app, owner, "LOW_BALANCE").await,
        (json!("QUEUED"), Value::Null)
    );
    assert_eq!(app.mail().await.len(), 1, "not within the hour");
    app.advance(Duration::from_hours(1));
    assert_eq!(app.mail().await.len(), 2, "it is still low");
    // Conditions that have ended by then are not mailed.
    adjust(&app, "60").await;
    adjust(&app, "-60").await;
    adjust(&app, "60").await;
    app.advance(Duration::from_secs(3_601));
    assert_eq!(app.mail().await.len(), 2);
    assert_eq!(
        mail_of(&app, owner, "LOW_BALANCE").await,
        (json!("SUPPRESSED"), json!("ENDED"))
    );
    adjust(&app, "-60").await;

    let off = json!({ "preferences": [{ "kind": "LOW_BALANCE", "channel": "EMAIL", "enabled": false }] });
    set(owner, off).await;
    app.advance(Duration::from_hours(25));
    adjust(&app, "60").await;
    adjust(&app, "-60").await;
    assert_eq!(
        mail_of(&app, owner, "LOW_BALANCE").await,
        (json!("SUPPRESSED"), json!("PREFERENCE_OFF"))
    );
}

#[tokio::test]
async fn what_gathers_in_quiet_hours_is_one_mail_in_the_morning() {
    let app = TestApp::start().await;
    let olga = &app.team.owner;
    verify(&app, olga).await;
    let on = |kind: &str| json!({ "kind": kind, "channel": "EMAIL", "enabled": true });
    let input = json!({ "lowBalanceThreshold": "50", "quietHours": { "start": "08:00", "end": "10:00" },
        "preferences": [on("TOP_UP_SUCCEEDED"), on("BALANCE_RECOVERED")] });
    set(olga, input).await;
    app.top_up(100).await;
    app.evaluate().await;
    adjust(&app, "-60").await;
    adjust(&app, "100").await;
    assert_eq!(app.mail().await.len(), 0, "it is 09:00");
    app.advance(Duration::from_hours(1));
    let mails = app.mail().await;
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert!(
        mails[0].contains("Subject: 2 messages about the credits of The team"),
        "{}",
        mails[0]
    );
    assert_eq!(
        mail_of(&app, olga, "LOW_BALANCE").await,
        (json!("SUPPRESSED"), json!("ENDED")),
        "it has ended"
    );
}

#[tokio::test]
async fn a_test_goes_the_way_of_all_alerts_and_cannot_flood_an_address() {
    let app = TestApp::start().await;
    let mia = &app.team.member;
    let fields = "alert { kind title deliveries { nodes { channel status suppressedBecause } } }";
    let sent = mia
        .client
        .mutate("sendTestNotification", fields, json!({ "channel": "IN_APP" }))
        .await;
    assert_eq!(
        sent["alert"]["deliveries"]["nodes"],
        json!([{ "channel": "IN_APP", "status": "SENT", "suppressedBecause": null }])
    );
    let sent = mia
        .client
        .mutate("sendTestNotification", fields, json!({ "channel": "EMAIL" }))
        .await;
    assert_eq!(sent["alert"]["deliveries"]["nodes"][0]["status"], "QUEUED");
    assert_eq!(app.mail().await.len(), 1);
    let again = mia
        .client
        .mutate("sendTestNotification", fields, json!({ "channel": "EMAIL" }))
        .await;
    assert_eq!(
        again["alert"]["deliveries"]["nodes"][0]["suppressedBecause"],
        "COOLDOWN"
    );
    assert_eq!(app.mail().await.len(), 1);
    let of_owner = json!({ "memberId": app.team.owner.id(), "channel": "EMAIL" });
    assert_eq!(
        code(&mia.client.mutate("sendTestNotification", fields, of_owner).await),
        "FORBIDDEN"
    );
}

#[tokio::test]
async fn a_code_is_mailed_and_a_mail_can_be_sent_again() {
    let app = TestApp::start().await;
    let (olga, mia) = (&app.team.owner, &app.team.member);
    let sent = mia
        .client
        .mutate("sendContactVerification", "contact { emailStatus }", json!({}))
        .await;
    assert_eq!(
        (code(&sent), &sent["contact"]["emailStatus"]),
        ("accepted", &json!("UNVERIFIED"))
    );
    let mails = app.mail().await;
    let digits: String = mails[0]
        .split("Subject: ")
        .nth(1)
        .expect("a subject")
        .chars()
        .take(8)
        .collect();
    let too_soon = mia
        .client
        .mutate("sendContactVerification", "contact { id }", json!({}))
        .await;
    assert_eq!(code(&too_soon), "RATE_LIMITED");
    let verified = mia
        .client
        .mutate("verifyContact", "contact { emailStatus }", json!({ "code": digits }))
        .await;
    assert_eq!(verified["contact"]["emailStatus"], "VERIFIED", "{}", mails[0]);
    let needless = mia
        .client
        .mutate("sendContactVerification", "contact { id }", json!({}))
        .await;
    assert_eq!(code(&needless), "CONTACT_INVALID");

    mia.client
        .mutate("sendTestNotification", "", json!({ "channel": "EMAIL" }))
        .await;
    mia.client
        .mutate("sendTestNotification", "", json!({ "channel": "IN_APP" }))
        .await;
    let all = deliveries(&app, mia).await;
    let id =
        |channel: &str| json!({ "deliveryId": all.iter().find(|one| one["channel"] == channel).expect("one")["id"] });
    let resend = async |client: &Client, input: Value| {
        client
            .mutate("resendDelivery", "delivery { status attempts }", input)
            .await
    };
    assert_eq!(
        code(&resend(&mia.client, id("EMAIL")).await),
        "DELIVERY_NOT_RESENDABLE",
        "it is on its way"
    );
    app.mail().await;
    assert_eq!(
        code(&resend(&mia.client, id("EMAIL")).await),
        "DELIVERY_NOT_RESENDABLE",
        "it has just been sent"
    );
    assert_eq!(
        code(&resend(&mia.client, id("IN_APP")).await),
        "DELIVERY_NOT_RESENDABLE"
    );
    app.advance(Duration::from_mins(1));
    let again = resend(&olga.client, id("EMAIL")).await;
    assert_eq!(again["delivery"], json!({ "status": "QUEUED", "attempts": 0 }));
    app.mail().await;
    assert_eq!(mail_of(&app, mia, "TEST").await.0, "SENT");
    let other = app.another_team("other").await;
    assert_eq!(code(&resend(&other.owner.client, id("EMAIL")).await), "NOT_FOUND");
    assert_eq!(
        code(&resend(&app.team.admin.client, id("EMAIL")).await),
        "DELIVERY_NOT_RESENDABLE"
    );
}

#[tokio::test]
async fn members_are_shown_a_reason_and_neither_paths_nor_hosts() {
    let app = TestApp::start().await;
    let mia = &app.team.member;
    // The folder for mails cannot be created, because a file has its name.
    std::fs::write(app.data_dir().join("mail"), "").expect("a file");
    let sent = mia
        .client
        .mutate("sendTestNotification", "alert { id }", json!({ "channel": "EMAIL" }))
        .await;
    assert!(sent["alert"]["id"].is_string(), "{sent}");
    let outbox = &app.services().outbox;
    outbox.send_due(10).await.expect("the outbox works");
    let waiting = deliveries(&app, mia).await;
    let waiting = waiting.iter().find(|one| one["channel"] == "EMAIL").expect("a mail");
    assert_eq!(
        (&waiting["status"], &waiting["lastError"]),
        (
            &json!("QUEUED"),
            &json!("The mail system temporarily refused the mail.")
        )
    );
    let path = app.data_dir().display().to_string();
    assert!(!waiting.to_string().contains(&path), "{waiting}");
}
