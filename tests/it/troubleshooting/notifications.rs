//! Notifications that do not arrive.

use std::time::Duration;

use serde_json::{Value, json};

use super::{a_person_must_choose, all_is_well, codes, healthy, level, make_well, proved_by, says, send, the_finding};
use crate::harness::Person;
use crate::notification::{deliveries, set, smtp};

fn low_balance(enabled: bool) -> Value {
    let preference = |channel: &str| json!({ "kind": "LOW_BALANCE", "channel": channel, "enabled": enabled });
    json!({ "preferences": [preference("EMAIL"), preference("IN_APP")] })
}

async fn contact(person: &Person, input: Value) {
    let payload = person.client.mutate("updateContact", "", input).await;
    assert_eq!(payload["userErrors"], json!([]), "{payload}");
}

#[tokio::test]
async fn low_balance_muted_is_switched_on_again_as_it_stands() {
    let app = healthy().await;
    let olga = &app.team.owner;
    app.advance(Duration::from_mins(1));
    set(olga, low_balance(false)).await;
    let finding = the_finding(&app, "LOW_BALANCE_MUTED").await;
    assert_eq!(
        (&finding["symptom"], &finding["severity"], &finding["since"]),
        (
            &json!("NOTIFICATION_NOT_RECEIVED"),
            &json!("WARNING"),
            &json!("2026-03-02T09:01:00.000Z")
        )
    );
    says(&finding, &["The level is 5", "100 are available", "Olga"]);
    assert_eq!(proved_by(&finding), ["NotificationSettings"]);
    // It is about an owner, whose settings an admin cannot change.
    send(&olga.client, &finding).await;
    all_is_well(&app).await;
    // One channel is enough.
    set(olga, low_balance(false)).await;
    level(&app.team.admin, json!("3")).await;
    all_is_well(&app).await;
}

#[tokio::test]
async fn a_level_that_nobody_has_chosen_is_for_a_person_to_choose() {
    let app = healthy().await;
    level(&app.team.owner, Value::Null).await;
    let finding = the_finding(&app, "LOW_BALANCE_MUTED").await;
    assert_eq!(finding["severity"], "INFO");
    a_person_must_choose(&finding, "UPDATE_NOTIFICATION_SETTINGS");
    // They joined within the same millisecond.
    says(&finding, &["Olga", "Adam", "100 credits"]);
    level(&app.team.admin, json!("3")).await;
    all_is_well(&app).await;
}

#[tokio::test]
async fn contact_missing_then_unverified_ends_with_the_code_that_the_remedy_sends() {
    let app = healthy().await;
    let adam = &app.team.admin;
    contact(adam, json!({ "email": null })).await;
    let finding = the_finding(&app, "CONTACT_MISSING").await;
    a_person_must_choose(&finding, "UPDATE_CONTACT");
    says(&finding, &["Adam"]);
    app.advance(Duration::from_mins(1));
    contact(adam, json!({ "email": "adam@new.example" })).await;

    let finding = the_finding(&app, "CONTACT_UNVERIFIED").await;
    says(&finding, &["adam@new.example", "2 March 2026, 09:01"]);
    assert_eq!(finding["since"], "2026-03-02T09:01:00.000Z");
    assert_eq!(proved_by(&finding), ["Contact"]);
    let before = app.mail().await;
    send(&app.team.owner.client, &finding).await;
    let sent = app
        .mail()
        .await
        .into_iter()
        .find(|mail| !before.contains(mail))
        .expect("a mail");
    let subject = sent
        .lines()
        .find(|line| line.starts_with("Subject: "))
        .expect("a subject");
    let code: String = subject.chars().filter(char::is_ascii_digit).collect();
    let verified = adam.client.mutate("verifyContact", "", json!({ "code": code })).await;
    assert_eq!(verified["userErrors"], json!([]), "{subject}");
    all_is_well(&app).await;
}

#[tokio::test]
async fn contact_bouncing_says_what_the_mail_system_said_and_ends_with_another_address() {
    let (app, server) = smtp::start().await;
    make_well(&app).await;
    let mia = &app.team.member;
    server.answer(smtp::Answer::Refuse("550 5.1.1 no such user here"));
    smtp::test_by_mail(&app, mia).await;
    app.mail().await;
    let finding = the_finding(&app, "CONTACT_BOUNCING").await;
    assert_eq!(finding["severity"], "CRITICAL");
    a_person_must_choose(&finding, "UPDATE_CONTACT");
    says(
        &finding,
        &["mia@team.example", "does not know this mailbox", "2 March 2026, 09:01"],
    );
    assert_eq!(finding["since"], "2026-03-02T09:01:00.000Z");
    contact(mia, json!({ "email": "mia@new.example" })).await;
    all_is_well(&app).await;
}

#[tokio::test]
async fn email_delivery_failing_is_sent_again_once_the_mail_system_works() {
    let (app, server) = smtp::start().await;
    make_well(&app).await;
    let olga = &app.team.owner;
    server.answer(smtp::Answer::Refuse("451 the disk is full"));
    smtp::test_by_mail(&app, olga).await;
    app.mail().await;
    all_is_well(&app).await;
    app.advance(Duration::from_mins(5));
    app.mail().await;
    let finding = the_finding(&app, "EMAIL_DELIVERY_FAILING").await;
    a_person_must_choose(&finding, "WAIT");
    says(
        &finding,
        &["A message", "temporarily refused the mail", "The next try is on"],
    );
    for _ in 0..9 {
        app.advance(Duration::from_hours(3));
        app.mail().await;
    }
    assert_eq!(deliveries(&app, olga).await[0]["status"], "FAILED");
    let finding = the_finding(&app, "EMAIL_DELIVERY_FAILING").await;
    assert_eq!(finding["remedy"]["action"], "RESEND_DELIVERY");
    assert_eq!(proved_by(&finding), ["Delivery"]);
    server.answer(smtp::Answer::Take);
    // It is mail to an owner, which an admin cannot resend.
    send(&olga.client, &finding).await;
    app.mail().await;
    all_is_well(&app).await;
    assert_eq!(deliveries(&app, olga).await[0]["status"], "SENT");
}

#[tokio::test]
async fn a_member_without_news_to_hear_is_no_finding() {
    let app = healthy().await;
    contact(&app.team.member, json!({ "email": null })).await;
    all_is_well(&app).await;
    let promote = json!({ "memberId": app.team.member.id(), "role": "ADMIN" });
    let promoted = app.team.owner.client.mutate("updateMember", "", promote).await;
    assert_eq!(promoted["userErrors"], json!([]));
    assert_eq!(codes(&app).await, ["CONTACT_MISSING"]);
}

#[tokio::test]
async fn a_member_who_wants_mail_and_cannot_get_it_is_a_finding_until_a_code_comes_back() {
    let app = healthy().await;
    let (mia, admin) = (&app.team.member, &app.team.admin.client);
    let charged = |enabled: bool| json!({ "preferences": [{ "kind": "SESSION_CHARGED", "channel": "EMAIL", "enabled": enabled }] });
    contact(mia, json!({ "email": null })).await;
    set(mia, charged(true)).await;
    let finding = the_finding(&app, "CONTACT_MISSING").await;
    a_person_must_choose(&finding, "UPDATE_CONTACT");
    says(&finding, &["Mia"]);
    set(mia, charged(false)).await;
    all_is_well(&app).await;
    set(mia, charged(true)).await;
    // An admin follows the remedy: it is not the contact of an owner.
    let give = json!({ "memberId": mia.id(), "email": "mia@new.example" });
    let given = admin.mutate("updateContact", "", give).await;
    assert_eq!(given["userErrors"], json!([]), "{given}");
    let finding = the_finding(&app, "CONTACT_UNVERIFIED").await;
    says(&finding, &["mia@new.example"]);
    send(admin, &finding).await;
    let mails = app.mail().await;
    let mail = mails.iter().find(|mail| mail.contains("mia@new.example"));
    let subject = mail.and_then(|mail| mail.lines().find(|line| line.starts_with("Subject: ")));
    let code: String = subject.expect("a code").chars().filter(char::is_ascii_digit).collect();
    let verified = mia.client.mutate("verifyContact", "", json!({ "code": code })).await;
    assert_eq!(verified["userErrors"], json!([]), "{verified}");
    all_is_well(&app).await;
}
