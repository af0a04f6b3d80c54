//! Headers of mails: how to unsubscribe, the thread of the mail, and that a program wrote it.

use std::time::Duration;

use serde_json::{Value, json};

use super::{adjust, code, mail_of, set, verify};
use crate::harness::{Person, TestApp};

pub(super) const ONE_CLICK: &str = "List-Unsubscribe=One-Click";
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

async fn start() -> TestApp {
    let settings = [
        ("public_url", "https://bell.example"),
        ("app_url", "https://app.example/credits"),
    ];
    let app = Box::pin(TestApp::start_with(&settings)).await;
    app.top_up(100).await;
    app.evaluate().await;
    app
}

/// Returns the value of a header, in one line.
pub(super) fn header(mail: &str, name: &str) -> Option<String> {
    let (head, _) = mail.split_once("\r\n\r\n").expect("a body");
    let head = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let line = head.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
    line.map(|value| value.trim().to_owned())
}

/// Returns the newest mail to an address.
fn newest(mails: &[String], before: &[String], address: &str) -> String {
    let mut new = mails
        .iter()
        .filter(|mail| !before.contains(mail) && mail.contains(address));
    let mail = new.next().unwrap_or_else(|| panic!("a mail to {address}")).clone();
    assert_eq!(new.next(), None, "one mail");
    mail
}

/// Lowers the balance below the person's threshold, and returns the mail about it.
async fn low_balance(app: &TestApp, person: &Person, address: &str) -> String {
    verify(app, person).await;
    set(person, json!({ "lowBalanceThreshold": "35" })).await;
    let before = app.mail().await;
    adjust(app, "-70").await;
    newest(&app.mail().await, &before, address)
}

/// Returns the path of the link that a mail program posts to.
pub(super) fn path(mail: &str) -> String {
    let link = header(mail, "List-Unsubscribe").unwrap_or_else(|| panic!("a link in {mail}"));
    let link = link.trim_start_matches('<').trim_end_matches('>');
    let path = link.strip_prefix("https://bell.example").expect("the public address");
    path.to_owned()
}

pub(super) async fn post(app: &TestApp, path: &str, content_type: &str, body: &str) -> (u16, String) {
    let client = app.anonymous();
    let request = client.post(path).header("content-type", content_type);
    let answer = client.send(request.body(body.to_owned())).await;
    let text = answer.body.as_str().unwrap_or_default().to_owned();
    (answer.status.as_u16(), text)
}

/// Returns a member's settings, and the position in the account's stream.
async fn settings(app: &TestApp, person: &Person) -> Value {
    let query = "query ($id: ID!) { node(id: $id) { ... on Member { account { liveCursor }
        notificationSettings { version preferences { kind channel enabled } } } } }";
    let answer = app.platform.query(query, json!({ "id": person.id() })).await;
    answer.at("/node").clone()
}

/// Returns the settings that were disabled, without those that are disabled by default.
fn switched_off(before: &Value, after: &Value) -> Vec<Value> {
    let preferences = |of: &Value| {
        of["notificationSettings"]["preferences"]
            .as_array()
            .expect("a list")
            .clone()
    };
    let before = preferences(before);
    let changed = preferences(after).into_iter().filter(|one| !before.contains(one));
    changed.collect()
}

#[tokio::test]
async fn one_click_switches_off_this_kind_of_mail_to_this_member_and_nothing_else() {
    let app = start().await;
    let (olga, adam) = (&app.team.owner, &app.team.admin);
    let mail = low_balance(&app, olga, "olga@team.example").await;
    assert_eq!(header(&mail, "List-Unsubscribe-Post").as_deref(), Some(ONE_CLICK));
    let (path, before, of_adam) = (path(&mail), settings(&app, olga).await, settings(&app, adam).await);

    // Programs that follow links change nothing, and a person gets a page with a button.
    let client = app.anonymous();
    for method in ["HEAD", "GET", "GET"] {
        let request = client.request(method.parse().expect("a method"), &path);
        let page = request.send().await.expect("an answer");
        assert_eq!(page.status(), 200);
        let headers = page.headers().clone();
        let value = |name: &str| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
        };
        assert!(value("content-security-policy").contains("frame-ancestors 'none'"));
        assert_eq!(
            (value("cache-control"), value("x-robots-tag")),
            ("no-store", "noindex, nofollow")
        );
        assert_eq!(value("referrer-policy"), "no-referrer");
        let text = page.text().await.expect("a page");
        assert!(
            method == "HEAD" || text.contains("<button name=\"List-Unsubscribe\" value=\"One-Click\">"),
            "{text}"
        );
        assert!(
            !text.contains("Olga") && !text.contains("The team"),
            "it names nobody: {text}"
        );
    }
    for (content_type, body) in [(FORM, ""), (FORM, "confirm=true"), ("application/json", ONE_CLICK)] {
        assert_eq!(
            post(&app, &path, content_type, body).await.0,
            400,
            "{content_type} {body}"
        );
    }
    assert_eq!(post(&app, &path, FORM, &"x".repeat(5_000)).await.0, 413);
    assert_eq!(settings(&app, olga).await, before, "nothing has changed yet");

    let (status, page) = post(&app, &path, FORM, ONE_CLICK).await;
    assert_eq!(status, 200);
    assert!(page.contains("You get no more e-mails of this kind"), "{page}");
    let after = settings(&app, olga).await;
    assert_eq!(
        switched_off(&before, &after),
        [json!({ "kind": "LOW_BALANCE", "channel": "EMAIL", "enabled": false })]
    );
    let part = "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n";
    assert_eq!(post(&app, &path, "multipart/form-data; boundary=b", part).await.0, 200);
    assert_eq!(settings(&app, olga).await, after, "the same again changes nothing");
    assert_eq!(
        settings(&app, adam).await["notificationSettings"],
        of_adam["notificationSettings"]
    );

    app.advance(Duration::from_hours(26));
    adjust(&app, "60").await;
    adjust(&app, "-60").await;
    assert_eq!(
        mail_of(&app, olga, "LOW_BALANCE").await,
        (json!("SUPPRESSED"), json!("PREFERENCE_OFF"))
    );
}

#[tokio::test]
async fn a_link_changes_nothing_once_the_address_or_the_member_is_gone() {
    let app = start().await;
    let (olga, adam) = (&app.team.owner, &app.team.admin);
    let of_adam = path(&low_balance(&app, adam, "adam@team.example").await);
    adjust(&app, "70").await;
    app.advance(Duration::from_hours(2));
    let of_olga = path(&low_balance(&app, olga, "olga@team.example").await);
    for email in ["olga@other.example", "OLGA@team.example"] {
        let change = json!({ "email": email, "locale": "de" });
        assert_eq!(code(&olga.client.mutate("updateContact", "", change).await), "accepted");
        let before = settings(&app, olga).await;
        let (status, page) = post(&app, &of_olga, FORM, ONE_CLICK).await;
        assert_eq!(status, 200);
        let is_hers = email == "OLGA@team.example";
        assert_eq!(
            page.contains("Sie erhalten keine E-Mails dieser Art mehr"),
            is_hers,
            "{page}"
        );
        assert_eq!(page.contains("These e-mails are already off"), !is_hers, "{page}");
        assert_eq!(settings(&app, olga).await != before, is_hers);
    }
    let remove = json!({ "memberId": adam.id() });
    assert_eq!(code(&olga.client.mutate("removeMember", "", remove).await), "accepted");
    let before = settings(&app, adam).await;
    let (status, page) = post(&app, &of_adam, FORM, ONE_CLICK).await;
    assert_eq!(status, 200);
    assert!(page.contains("These e-mails are already off"), "{page}");
    assert_eq!(settings(&app, adam).await, before);
}

#[tokio::test]
async fn forged_links_are_refused_and_links_are_followed_so_often_from_an_address() {
    let settings = [("limits.anonymous_rate", "1"), ("limits.anonymous_burst", "150")];
    let app = Box::pin(TestApp::start_with(&settings)).await;
    let forged = "/unsubscribe?token=bWVtX3g";
    let (status, text) = post(&app, forged, FORM, ONE_CLICK).await;
    assert_eq!(status, 403, "{text}");
    assert_eq!(post(&app, "/unsubscribe", FORM, ONE_CLICK).await.0, 400);
    // A visit costs 20, and a refused link 50 more.
    assert_eq!(post(&app, forged, FORM, ONE_CLICK).await.0, 403);
    let refused = app.anonymous().get(forged).send().await.expect("an answer");
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().contains_key("retry-after"));
    app.advance(Duration::from_mins(3));
    assert_eq!(post(&app, forged, FORM, ONE_CLICK).await.0, 403);
}

#[tokio::test]
async fn mail_that_cannot_be_switched_off_offers_nothing_and_still_says_that_no_person_wrote_it() {
    let app = start().await;
    let olga = &app.team.owner;
    verify(&app, olga).await;
    adjust(&app, "-100").await;
    olga.client
        .mutate("sendTestNotification", "", json!({ "channel": "EMAIL" }))
        .await;
    let mails = app.mail().await;
    let of_olga: Vec<&String> = mails.iter().filter(|mail| mail.contains("olga@team.example")).collect();
    assert_eq!(of_olga.len(), 2, "out of credits, and a test");
    for mail in of_olga {
        for name in ["List-Unsubscribe", "List-Unsubscribe-Post"] {
            assert_eq!(header(mail, name), None, "{mail}");
        }
        assert_eq!(header(mail, "Auto-Submitted").as_deref(), Some("auto-generated"));
        assert_eq!(header(mail, "X-Auto-Response-Suppress").as_deref(), Some("All"));
    }
    // The address of the admin is not verified: it receives no text of customers, also not in the subject.
    let adam = mails
        .iter()
        .find(|mail| mail.contains("adam@team.example"))
        .expect("a mail");
    assert_eq!(header(adam, "Subject").as_deref(), Some("Out of credits"));
    let olga = mails.iter().filter(|mail| mail.contains("olga@team.example"));
    let subjects: Vec<_> = olga.filter_map(|mail| header(mail, "Subject")).collect();
    assert!(
        subjects.contains(&"Out of credits (The team)".to_owned()),
        "{subjects:?}"
    );
}

#[tokio::test]
async fn mails_of_one_kind_are_one_thread_and_the_team_is_in_the_subject() {
    let app = start().await;
    let olga = &app.team.owner;
    let first = low_balance(&app, olga, "olga@team.example").await;
    assert_eq!(
        header(&first, "Subject").as_deref(),
        Some("Credits are running low (The team)")
    );
    let rename = json!({ "accountId": app.team.id(), "name": "Café Größe" });
    app.platform.mutate("updateAccount", "", rename).await;
    app.advance(Duration::from_hours(26));
    let before = app.mail().await;
    adjust(&app, "70").await;
    adjust(&app, "-70").await;
    let second = newest(&app.mail().await, &before, "olga@team.example");
    let (head, _) = second.split_once("\r\n\r\n").expect("a body");
    assert!(head.is_ascii(), "what is not ASCII is encoded: {head}");
    assert!(
        header(&second, "Subject").expect("a subject").contains("=?utf-8?"),
        "{head}"
    );
    let before = app.mail().await;
    adjust(&app, "-30").await;
    let depleted = newest(&app.mail().await, &before, "olga@team.example");
    let thread = |mail: &str| (header(mail, "References"), header(mail, "In-Reply-To"));
    assert!(
        thread(&first)
            .0
            .is_some_and(|id| id.starts_with("<thread.") && id.contains('@'))
    );
    assert_eq!(thread(&first).0, thread(&first).1);
    assert_eq!(thread(&first), thread(&second));
    assert_ne!(thread(&first), thread(&depleted));
    assert_ne!(header(&first, "Message-ID"), header(&second, "Message-ID"));
}
