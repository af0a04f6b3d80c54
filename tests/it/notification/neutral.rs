//! Mail to an unverified address contains no text of customers or the operator, for any subject and in every language.

use std::time::Duration;

use data_encoding::BASE64;
use ledgerbell::domain::notification::model::{AlertKind, Channel, Facts};
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};

use super::{code, set, verify};
use crate::harness::TestApp;

/// A mark in every text that customers and the operator write in this test.
const MARK: &str = "zorgblat";

/// Decodes the transfer encodings of a mail, as far as the text is concerned.
fn decoded(mail: &str) -> String {
    let mut text = mail.replace("=\r\n", "").replace("=\n", "");
    // Encoded words of headers; a long header has several.
    while let Some((before, (word, after))) = text
        .split_once("=?utf-8?b?")
        .and_then(|(before, rest)| Some((before, rest.split_once("?=")?)))
    {
        let bytes = BASE64.decode(word.as_bytes()).expect("an encoded word");
        text = format!(
            "{before}{}{}",
            String::from_utf8_lossy(&bytes),
            after.trim_start_matches("\r\n ")
        );
    }
    text.to_lowercase()
}

/// Returns a server where every text that a customer or the operator can write has the mark. Links are allowed everywhere, and
/// mail to unverified addresses is not limited.
async fn all_marked(locale: &str) -> TestApp {
    let app = TestApp::start_with(&[
        ("mail.unverified_per_account", "1000"),
        ("mail.unverified_per_address", "1000"),
        ("mail.unverified_per_caller", "1000"),
        ("app_url", "https://app.example/act"),
    ])
    .await;
    let account = json!({ "accountId": app.team.id(), "name": format!("The {MARK}.example team") });
    let renamed = app.platform.mutate("updateAccount", "account { name }", account).await;
    assert_eq!(code(&renamed), "accepted", "{renamed}");
    for person in [&app.team.owner, &app.team.admin, &app.team.member] {
        let name = json!({ "memberId": person.id(), "name": format!("Win at {MARK}.example") });
        let renamed = app.platform.mutate("updateMember", "member { name }", name).await;
        assert_eq!(code(&renamed), "accepted", "{renamed}");
        let language = json!({ "locale": locale });
        person.client.mutate("updateContact", "", language).await;
    }
    app.top_up(100).await;
    app.evaluate().await;
    app.mail().await;
    app
}

/// Returns all facts that an alert may have. A new fact must be added here, and in `Alert::without_texts`.
fn marked_facts() -> String {
    let mark = || Some(format!("{MARK} at https://{MARK}.example"));
    let facts = Facts {
        available: Some(-5),
        credits: Some(10_000),
        title: mark(),
        reason: mark(),
        code: mark(),
        name: mark(),
        at: Some(1_774_031_400_000),
    };
    serde_json::to_string(&facts).expect("JSON")
}

/// Changes the newest test to an alert of this kind, with every fact.
async fn turn_into(app: &TestApp, test: &Value, kind: AlertKind) {
    let name = kind.as_str();
    let severity = kind.rule().severity.as_str();
    let facts = marked_facts();
    assert!(test.is_string(), "{test}");
    let database = sea_orm::Database::connect(app.database_url()).await.expect("connects");
    for sql in [
        format!("UPDATE alert SET kind = '{name}', severity = '{severity}', facts = '{facts}' WHERE kind = 'TEST'"),
        format!("UPDATE delivery SET kind = '{name}', severity = '{severity}' WHERE kind = 'TEST'"),
    ] {
        let done = database.execute_unprepared(&sql).await.expect("writes");
        assert!(done.rows_affected() > 0, "{sql}");
    }
    database.close().await.expect("closes");
}

/// Raises one alert of each kind for the owner, one a day, and returns the mails to the owner by kind.
async fn mails_by_kind(app: &TestApp) -> Vec<(AlertKind, Vec<String>)> {
    let olga = &app.team.owner;
    // Enables everything that can be enabled.
    let unlocked = AlertKind::ALL.iter().filter(|kind| !kind.is_locked(Channel::Email));
    let on = unlocked.map(|kind| json!({ "kind": kind.as_str(), "channel": "EMAIL", "enabled": true }));
    set(olga, json!({ "preferences": on.collect::<Vec<_>>() })).await;
    let mut found = Vec::new();
    let mut known = app.mail().await;
    for kind in AlertKind::ALL {
        app.advance(Duration::from_hours(25));
        let input = json!({ "channel": "EMAIL" });
        let test = olga.client.mutate("sendTestNotification", "alert { id }", input).await;
        turn_into(app, &test["alert"]["id"], *kind).await;
        let mails = app.mail().await;
        let new = mails.iter().filter(|mail| !known.contains(mail)).cloned().collect();
        found.push((*kind, new));
        known = mails;
    }
    found
}

async fn nothing_marked_goes_to_strangers(locale: &str) {
    let app = all_marked(locale).await;
    let (olga, mia) = (&app.team.owner, &app.team.member);
    for (kind, mails) in mails_by_kind(&app).await {
        assert_eq!(mails.len(), usize::from(kind.is_urgent()), "{kind:?}: {mails:?}");
        for mail in mails {
            let mail = decoded(&mail);
            assert!(!mail.contains(MARK), "{kind:?}: {mail}");
            assert!(!mail.contains("“”") && !mail.contains("„“"), "{kind:?}: {mail}");
        }
    }

    // A code; a notice to the previous address of a member; and a digest whose recipient has changed.
    let known = app.mail().await;
    let sent = mia.client.mutate("sendContactVerification", "", json!({})).await;
    assert_eq!(code(&sent), "accepted", "{sent}");
    app.advance(Duration::from_mins(2));
    verify(&app, mia).await;
    mia.client
        .mutate("updateContact", "", json!({ "email": "mia@new.example" }))
        .await;
    verify(&app, olga).await;
    let quiet = json!({ "quietHours": { "start": "00:00", "end": "23:59" }, "lowBalanceThreshold": "50" });
    set(olga, quiet).await;
    app.top_up(5).await;
    super::adjust(&app, "-60").await;
    olga.client
        .mutate("updateContact", "", json!({ "email": "olga@new.example" }))
        .await;
    app.mail().await;
    app.advance(Duration::from_hours(24));
    let new: Vec<String> = app
        .mail()
        .await
        .into_iter()
        .filter(|mail| !known.contains(mail))
        .collect();
    let to = |address: &str| {
        new.iter()
            .filter(|mail| mail.contains(&format!("To: {address}")))
            .count()
    };
    assert_eq!(
        (to("mia@team.example"), to("olga@team.example"), new.len()),
        (2, 1, 3),
        "{new:?}"
    );
    for mail in &new {
        assert!(!decoded(mail).contains(MARK), "{mail}");
    }
}

#[tokio::test]
async fn no_kind_of_mail_to_an_unverified_address_has_a_text_of_customers() {
    nothing_marked_goes_to_strangers("en").await;
}

#[tokio::test]
async fn no_kind_of_mail_to_an_unverified_address_has_a_text_of_customers_in_german() {
    nothing_marked_goes_to_strangers("de").await;
}

/// The marks are in the right places: mail to a verified address contains them for every kind.
#[tokio::test]
async fn a_verified_address_is_greeted_by_name_whatever_the_mail_is_about() {
    for locale in ["en", "de"] {
        let app = all_marked(locale).await;
        verify(&app, &app.team.owner).await;
        for (kind, mails) in mails_by_kind(&app).await {
            assert_eq!(mails.len(), 1, "{locale} {kind:?}");
            assert!(decoded(&mails[0]).contains(MARK), "{locale} {kind:?}: {}", mails[0]);
        }
    }
}
