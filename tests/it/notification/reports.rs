//! Later reports of a mail system about mail: which are accepted, and their consequences.

use std::time::Duration;

use ledgerbell::adapters::signature;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{adjust, code, deliveries, inbox, kinds, mail_of, set, verify};
use crate::harness::{Person, TestApp};

pub(super) const SECRET: &str = "what-mail-systems-sign-reports-with";

async fn start() -> TestApp {
    TestApp::start_with(&[("mail.webhook_secret", SECRET)]).await
}

async fn post(app: &TestApp, body: &str, signature: &str) -> (StatusCode, String) {
    let request = app.anonymous().post("/webhooks/mail");
    let request = request.header("ledgerbell-signature", signature).body(body.to_owned());
    let response = request.send().await.expect("an answer");
    (response.status(), response.text().await.expect("a text"))
}

/// Sends a report with a signature by the secret. Returns the response line.
pub(super) async fn report(app: &TestApp, report: &Value) -> String {
    let body = report.to_string();
    let signed = signature::sign(SECRET, body.as_bytes(), app.clock.now());
    let (status, line) = post(app, &body, &signed).await;
    assert_eq!(status, StatusCode::OK, "{line}");
    line.trim().to_owned()
}

/// Returns the Message-ID of a mail in a file.
pub(super) fn message_id(mail: &str) -> String {
    let line = mail.lines().find_map(|line| line.strip_prefix("Message-ID: "));
    line.expect("an id").to_owned()
}

/// Sends the member a test by mail, a minute after the last. Returns the id of the mail.
async fn mailed(app: &TestApp, person: &Person) -> String {
    app.advance(Duration::from_mins(1));
    let before = app.mail().await;
    person
        .client
        .mutate("sendTestNotification", "", json!({ "channel": "EMAIL" }))
        .await;
    let new = app.mail().await.into_iter().find(|mail| !before.contains(mail));
    message_id(&new.expect("a mail"))
}

fn about(message_id: &str, id: &str, kind: &str) -> Value {
    json!({ "id": id, "type": kind, "messageId": message_id, "address": "mia@team.example", "reason": "smtp; 550 5.2.1 mailbox says no at mx1.internal [10.1.2.3]" })
}

/// Returns everything that a report may change: contact, settings, deliveries and inbox of a member.
async fn state(app: &TestApp, person: &Person) -> Value {
    let query = "{ viewer { member { contact { email emailStatus bounceMessage version }
        notificationSettings { version preferences { kind channel enabled } } } } }";
    let member = person.client.query(query, json!({})).await.data().clone();
    json!([member, deliveries(app, person).await, inbox(&person.client).await.0])
}

async fn contact(person: &Person) -> (Value, Value) {
    let query = "{ viewer { member { contact { emailStatus bounceMessage } } } }";
    let answer = person.client.query(query, json!({})).await;
    let contact = answer.at("/viewer/member/contact");
    (contact["emailStatus"].clone(), contact["bounceMessage"].clone())
}

#[tokio::test]
async fn f60_a_bounce_that_is_reported_later_does_what_a_refusal_does_once() {
    let app = start().await;
    let (olga, mia) = (&app.team.owner, &app.team.member);
    verify(&app, mia).await;
    let sent = mailed(&app, mia).await;
    assert_eq!(report(&app, &about(&sent, "r1", "DELIVERED")).await, "kept");
    assert_eq!(mail_of(&app, mia, "TEST").await.0, "SENT");
    assert_eq!(report(&app, &about(&sent, "r2", "HARD_BOUNCE")).await, "kept");
    let sent_to_mia = deliveries(&app, mia).await;
    let bounced = sent_to_mia
        .iter()
        .find(|one| one["alert"]["kind"] == "TEST")
        .expect("the test");
    assert_eq!(
        (&bounced["status"], &bounced["lastError"]),
        (&json!("BOUNCED"), &json!("The mailbox accepts no mail."))
    );
    assert_eq!(
        contact(mia).await,
        (json!("BOUNCING"), json!("The mailbox accepts no mail."))
    );
    for person in [olga, mia] {
        assert_eq!(kinds(person).await, ["CONTACT_BOUNCING"]);
    }

    // The same reports again: nothing changes.
    let before = (state(&app, mia).await, state(&app, olga).await);
    for (id, kind) in [
        ("r2", "HARD_BOUNCE"),
        ("r3", "HARD_BOUNCE"),
        ("r4", "DELIVERED"),
        ("r5", "SOFT_BOUNCE"),
    ] {
        assert_eq!(report(&app, &about(&sent, id, kind)).await, "kept");
        assert_eq!((state(&app, mia).await, state(&app, olga).await), before, "{id}");
    }

    // After a new verification the address is valid, and a repeated old report does not change it.
    verify(&app, mia).await;
    app.evaluate().await;
    assert_eq!(report(&app, &about(&sent, "r2", "HARD_BOUNCE")).await, "kept");
    assert_eq!(contact(mia).await, (json!("VERIFIED"), Value::Null));
    assert!(inbox(&mia.client).await.0[0]["resolvedAt"].is_string());
}

#[tokio::test]
async fn while_an_address_bounces_only_critical_mail_goes_there() {
    let app = start().await;
    let olga = &app.team.owner;
    verify(&app, olga).await;
    let sent = mailed(&app, olga).await;
    let mut bounce = about(&sent, "r1", "HARD_BOUNCE");
    // Mail systems write addresses in any case.
    bounce["address"] = "OLGA@Team.Example".into();
    assert_eq!(report(&app, &bounce).await, "kept");
    set(olga, json!({ "lowBalanceThreshold": "50" })).await;
    app.top_up(100).await;
    app.evaluate().await;
    adjust(&app, "-60").await;
    let held = mail_of(&app, olga, "LOW_BALANCE").await;
    assert_eq!(held, (json!("SUPPRESSED"), json!("CONTACT_BOUNCING")));
    adjust(&app, "-60").await;
    app.mail().await;
    assert_eq!(
        mail_of(&app, olga, "BALANCE_DEPLETED").await,
        (json!("SENT"), Value::Null)
    );
}

#[tokio::test]
async fn who_complains_gets_no_mail_but_what_is_critical_also_with_a_verified_address() {
    let app = start().await;
    let mia = &app.team.member;
    verify(&app, mia).await;
    let on = json!({ "preferences": [{ "kind": "SESSION_CHARGED", "channel": "EMAIL", "enabled": true }] });
    set(mia, on).await;
    let sent = mailed(&app, mia).await;
    let complaint = json!({ "id": "c", "type": "COMPLAINT", "messageId": sent, "address": "mia@team.example" });
    assert_eq!(report(&app, &complaint).await, "kept");
    assert_eq!(mail_of(&app, mia, "TEST").await.0, "SENT", "it arrived");
    assert_eq!(
        contact(mia).await,
        (json!("BOUNCING"), json!("The recipient marked our mail as spam."))
    );
    assert_eq!(kinds(mia).await, ["CONTACT_BOUNCING"]);
    verify(&app, mia).await;
    let query = "{ viewer { member { notificationSettings { preferences { kind channel enabled locked } } } } }";
    let settings = mia.client.query(query, json!({})).await;
    let preferences = settings.at("/viewer/member/notificationSettings/preferences");
    for preference in preferences.as_array().expect("a list") {
        let is_on = preference["enabled"] == true;
        let stays_on =
            preference["channel"] == "IN_APP" || preference["locked"] == true || preference["kind"] == "TEST";
        assert!(is_on == stays_on || preference["kind"] == "TEST", "{preference}");
    }
    app.top_up(10).await;
    super::complete(&app, &app.team, "s").await;
    adjust(&app, "1").await;
    let held = mail_of(&app, mia, "SESSION_CHARGED").await;
    assert_eq!(held, (json!("SUPPRESSED"), json!("PREFERENCE_OFF")));
}

#[tokio::test]
async fn a_report_of_an_address_that_was_changed_since_does_not_touch_the_new_one() {
    let app = start().await;
    let mia = &app.team.member;
    let sent = mailed(&app, mia).await;
    mia.client
        .mutate("updateContact", "", json!({ "email": "mia@new.example" }))
        .await;
    app.evaluate().await;
    assert_eq!(report(&app, &about(&sent, "r1", "HARD_BOUNCE")).await, "kept");
    assert_eq!(mail_of(&app, mia, "TEST").await.0, "BOUNCED");
    assert_eq!(report(&app, &about(&sent, "r2", "COMPLAINT")).await, "kept");
    assert_eq!(contact(mia).await, (json!("UNVERIFIED"), Value::Null));
    assert_eq!(kinds(mia).await, [""; 0]);
    // The mail was not sent to the new address. So no report can change it.
    let before = state(&app, mia).await;
    let mut elsewhere = about(&sent, "r3", "HARD_BOUNCE");
    elsewhere["address"] = "mia@new.example".into();
    assert_eq!(report(&app, &elsewhere).await, "not about a mail of this server");
    assert_eq!(state(&app, mia).await, before);
}

#[tokio::test]
async fn a_late_report_of_a_mail_from_before_does_not_spoil_an_address_that_was_verified_since() {
    let app = start().await;
    let mia = &app.team.member;
    let sent = mailed(&app, mia).await;
    let code = mia
        .client
        .mutate("sendContactVerification", "contact { id }", json!({}))
        .await;
    assert_eq!(super::code(&code), "accepted");
    let mails = app.mail().await;
    let of_code = mails
        .iter()
        .map(|mail| message_id(mail))
        .find(|id| *id != sent)
        .expect("a code");
    app.advance(Duration::from_mins(1));
    verify(&app, mia).await;
    for (at, (message_id, kind)) in [(&sent, "HARD_BOUNCE"), (&of_code, "HARD_BOUNCE"), (&sent, "COMPLAINT")]
        .into_iter()
        .enumerate()
    {
        assert_eq!(report(&app, &about(message_id, &format!("r{at}"), kind)).await, "kept");
        assert_eq!(contact(mia).await, (json!("VERIFIED"), Value::Null), "{at}");
        assert_eq!(kinds(mia).await, [""; 0], "{at}");
    }
    assert_eq!(mail_of(&app, mia, "TEST").await.0, "BOUNCED", "that mail did");
    // Mail from now on uses the new address.
    let again = mailed(&app, mia).await;
    assert_eq!(report(&app, &about(&again, "r9", "HARD_BOUNCE")).await, "kept");
    assert_eq!(contact(mia).await.0, "BOUNCING");
}

#[tokio::test]
async fn a_mail_that_was_not_taken_for_now_is_sent_again_unless_it_arrived() {
    let app = start().await;
    let mia = &app.team.member;
    let sent = mailed(&app, mia).await;
    let folder = app.mail().await.len();
    assert_eq!(report(&app, &about(&sent, "r1", "SOFT_BOUNCE")).await, "kept");
    assert_eq!(mail_of(&app, mia, "TEST").await.0, "QUEUED");
    assert_eq!(contact(mia).await.0, "UNVERIFIED", "a full mailbox is no wrong address");
    app.mail().await;
    assert_eq!(mail_of(&app, mia, "TEST").await.0, "QUEUED", "not at once");
    app.advance(Duration::from_mins(1));
    assert_eq!(app.mail().await.len(), folder, "the same mail is the same file");
    let again = deliveries(&app, mia).await;
    assert_eq!(
        (&again[0]["status"], &again[0]["attempts"]),
        (&json!("SENT"), &json!(2))
    );

    let sent = mailed(&app, mia).await;
    assert_eq!(report(&app, &about(&sent, "r2", "SOFT_BOUNCE")).await, "kept");
    assert_eq!(report(&app, &about(&sent, "r3", "DELIVERED")).await, "kept");
    app.advance(Duration::from_mins(1));
    app.mail().await;
    let arrived = deliveries(&app, mia).await;
    assert_eq!(
        (&arrived[0]["status"], &arrived[0]["attempts"]),
        (&json!("SENT"), &json!(1))
    );
    app.advance(Duration::from_hours(25));
    let given_up = mailed(&app, mia).await;
    app.advance(Duration::from_hours(25));
    assert_eq!(report(&app, &about(&given_up, "r4", "SOFT_BOUNCE")).await, "kept");
    assert_eq!(mail_of(&app, mia, "TEST").await.0, "FAILED");
}

#[tokio::test]
async fn all_that_one_mail_told_of_bounces_with_it() {
    let app = start().await;
    let olga = &app.team.owner;
    verify(&app, olga).await;
    let input = json!({ "lowBalanceThreshold": "50", "quietHours": { "start": "08:00", "end": "10:00" },
        "preferences": [{ "kind": "TOP_UP_SUCCEEDED", "channel": "EMAIL", "enabled": true }] });
    set(olga, input).await;
    app.top_up(100).await;
    app.evaluate().await;
    adjust(&app, "-60").await;
    app.advance(Duration::from_hours(1));
    let mails = app.mail().await;
    assert_eq!(mails.len(), 1, "{mails:?}");
    let mut bounce = about(&message_id(&mails[0]), "r1", "HARD_BOUNCE");
    bounce["address"] = "olga@team.example".into();
    assert_eq!(report(&app, &bounce).await, "kept");
    for kind in ["LOW_BALANCE", "TOP_UP_SUCCEEDED"] {
        assert_eq!(mail_of(&app, olga, kind).await.0, "BOUNCED", "{kind}");
    }
}

#[tokio::test]
async fn a_code_that_comes_back_shows_that_the_address_is_wrong() {
    let app = start().await;
    let mia = &app.team.member;
    let sent = mia
        .client
        .mutate("sendContactVerification", "contact { id }", json!({}))
        .await;
    assert_eq!(code(&sent), "accepted");
    let mails = app.mail().await;
    let bounce = about(&message_id(&mails[0]), "r1", "HARD_BOUNCE");
    assert_eq!(report(&app, &bounce).await, "kept");
    assert_eq!(contact(mia).await.0, "BOUNCING");
    assert_eq!(kinds(&app.team.owner).await, ["CONTACT_BOUNCING"]);
}

#[tokio::test]
async fn what_is_not_signed_too_old_too_long_or_of_somebody_else_changes_nothing() {
    let app = start().await;
    let mia = &app.team.member;
    let sent = mailed(&app, mia).await;
    mia.client
        .mutate("sendTestNotification", "", json!({ "channel": "IN_APP" }))
        .await;
    let before = state(&app, mia).await;
    let in_app = deliveries(&app, mia).await;
    let in_app = in_app
        .iter()
        .find(|one| one["channel"] == "IN_APP")
        .expect("one in the app");
    let in_app = in_app["id"].as_str().expect("an id");
    let body = about(&sent, "r1", "HARD_BOUNCE").to_string();
    let now = app.clock.now();
    let sign = |secret: &str, body: &str, at| signature::sign(secret, body.as_bytes(), at);
    let good = sign(SECRET, &body, now);
    let other_body = body.replace("r1", "r2");
    let long = format!("{body}{}", " ".repeat(70_000));
    for (body, signature, expected) in [
        (&body, String::new(), StatusCode::BAD_REQUEST),
        (
            &body,
            sign("another secret, which is not ours", &body, now),
            StatusCode::BAD_REQUEST,
        ),
        (
            &body,
            sign(SECRET, &body, now.plus_millis(-301_000)),
            StatusCode::BAD_REQUEST,
        ),
        (
            &body,
            sign(SECRET, &body, now.plus_millis(301_000)),
            StatusCode::BAD_REQUEST,
        ),
        (&other_body, good.clone(), StatusCode::BAD_REQUEST),
        (&long, sign(SECRET, &long, now), StatusCode::PAYLOAD_TOO_LARGE),
        (&"{}".to_owned(), sign(SECRET, "{}", now), StatusCode::BAD_REQUEST),
    ] {
        let (status, line) = post(&app, body, &signature).await;
        assert_eq!(status, expected, "{signature} {line}");
        assert!(!line.contains(SECRET));
    }
    let nobody = ledgerbell::primitives::ids::MemberId::from_uuid(uuid::Uuid::from_u128(1));
    let nobody = nobody.global(app.team.account.id).to_string();
    for unknown in [
        "<somebody.else@example.com>",
        "",
        &app.team.id(),
        &mia.id().replace("mem", "dlv"),
        &nobody,
        in_app,
    ] {
        assert_eq!(
            report(&app, &about(unknown, "r1", "HARD_BOUNCE")).await,
            "not about a mail of this server",
            "{unknown}"
        );
    }
    assert_eq!(state(&app, mia).await, before);
    let (status, _) = post(&app, &body, &good).await;
    assert_eq!(status, StatusCode::OK, "with its signature it is believed");

    let unset = TestApp::start().await;
    let (status, line) = post(&unset, &body, &good).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{line}");
}

#[tokio::test]
async fn a_bouncing_address_gets_no_mail_when_it_is_replaced() {
    let app = start().await;
    let mia = &app.team.member;
    verify(&app, mia).await;
    let sent = mailed(&app, mia).await;
    assert_eq!(report(&app, &about(&sent, "r1", "HARD_BOUNCE")).await, "kept");
    let before = app.mail().await.len();
    let replaced = mia
        .client
        .mutate("updateContact", "", json!({ "email": "mia@new.example" }))
        .await;
    assert_eq!(code(&replaced), "accepted");
    assert_eq!(app.mail().await.len(), before);
}
