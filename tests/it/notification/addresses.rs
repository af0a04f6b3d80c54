//! Notification addresses: who manages them, and how they are verified.

use std::time::Duration;

use ledgerbell::primitives::actor::{Permission, Side};
use serde_json::{Value, json};

use super::code;
use super::unsubscribing::{FORM, header, post};
use crate::harness::{Client, TestApp};

pub(super) const FIELDS: &str =
    "notificationAddress { id label email emailStatus alertKinds lowBalanceThreshold locale timezone
    vouchedBy { kind } vouchedAt bounceMessage createdBy { label } createdAt removedAt version }";

/// Returns the input of an address of accounting, with other fields.
pub(super) fn accounting(with: &Value) -> Value {
    let mut input = json!({ "label": "Accounting", "email": "books@bureau.example",
        "alertKinds": ["TOP_UP_SUCCEEDED", "LOW_BALANCE"] });
    let input_fields = input.as_object_mut().expect("an object");
    input_fields.extend(with.as_object().expect("an object").clone());
    input
}

/// Adds an address that the platform vouches for. Returns its id.
pub(super) async fn vouched(app: &TestApp, with: &Value) -> String {
    let mut input = accounting(with);
    (input["accountId"], input["emailVerified"]) = (json!(app.team.id()), json!(true));
    let added = app.platform.mutate("addNotificationAddress", FIELDS, input).await;
    id_of(&added)
}

pub(super) fn id_of(payload: &Value) -> String {
    let id = payload["notificationAddress"]["id"].as_str();
    id.unwrap_or_else(|| panic!("an address: {payload}")).to_owned()
}

/// Sends a mutation about an address as `client`.
pub(super) async fn about(client: &Client, name: &str, id: &str, with: &Value) -> Value {
    let mut input = json!({ "notificationAddressId": id });
    let fields = input.as_object_mut().expect("an object");
    fields.extend(with.as_object().expect("an object").clone());
    client.mutate(name, FIELDS, input).await
}

/// Returns all addresses of the team, and the position in its stream, which moves with each change.
async fn state(app: &TestApp) -> Value {
    let query =
        "query ($id: ID) { account(id: $id) { liveCursor notificationAddresses { id label email emailStatus alertKinds
        lowBalanceThreshold locale timezone removedAt version } } }";
    let answer = app.platform.query(query, json!({ "id": app.team.id() })).await;
    answer.at("/account").clone()
}

/// Returns the only mail that the use case has sent since `before`.
pub(super) async fn sent(app: &TestApp, before: &[String]) -> String {
    let mut new = app.mail().await.into_iter().filter(|mail| !before.contains(mail));
    let mail = new.next().expect("a mail");
    assert_eq!(new.next(), None, "one mail");
    mail
}

/// Returns the text of a mail as one line.
pub(super) fn words(mail: &str) -> String {
    let parsed = mail.replace("\r\n", "\n").replace("=\n", "").replace("=3D", "=");
    let (_, body) = parsed.split_once("\n\n").expect("a body");
    body.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Requests the mail that confirms the address, and returns it.
async fn ask(app: &TestApp, id: &str) -> String {
    let before = app.mail().await;
    let admin = &app.team.admin.client;
    let asked = about(admin, "sendNotificationAddressVerification", id, &json!({})).await;
    assert_eq!(code(&asked), "accepted", "{asked}");
    sent(app, &before).await
}

/// Returns the eight digits in a mail.
fn code_in(mail: &str) -> String {
    let words = words(mail);
    let found = words
        .split(' ')
        .find(|word| word.len() == 8 && word.bytes().all(|byte| byte.is_ascii_digit()));
    found.unwrap_or_else(|| panic!("a code in {words}")).to_owned()
}

/// Returns the path of the link in a mail.
fn link_in(mail: &str) -> String {
    let words = words(mail);
    let (_, rest) = words
        .split_once("https://bell.example/confirm-address?")
        .expect("a link");
    let token = rest.split([' ', '"']).next().expect("a token");
    format!("/confirm-address?{token}")
}

async fn status_of(app: &TestApp, id: &str) -> Value {
    let query = "query ($id: ID!) { node(id: $id) { ... on NotificationAddress { emailStatus } } }";
    let answer = app.platform.query(query, json!({ "id": id })).await;
    answer.at("/node/emailStatus").clone()
}

async fn start() -> TestApp {
    Box::pin(TestApp::start_with(&[("public_url", "https://bell.example/")])).await
}

#[tokio::test]
async fn an_address_is_added_changed_and_removed() {
    let app = TestApp::start().await;
    let adam = &app.team.admin.client;
    let added = adam
        .mutate("addNotificationAddress", FIELDS, accounting(&json!({})))
        .await;
    let id = id_of(&added);
    let mut expected = json!({ "id": id, "label": "Accounting", "email": "books@bureau.example", "emailStatus": "UNVERIFIED",
        "alertKinds": ["LOW_BALANCE", "TOP_UP_SUCCEEDED"], "lowBalanceThreshold": null, "locale": "en", "timezone": "UTC",
        "vouchedBy": null, "vouchedAt": null, "bounceMessage": null, "createdBy": { "label": "Adam" },
        "createdAt": "2026-03-02T09:00:00.000Z", "removedAt": null, "version": 1 });
    assert_eq!(added["notificationAddress"], expected);
    let change = json!({ "label": "Bureau", "alertKinds": [], "lowBalanceThreshold": "12.5", "locale": "de",
        "timezone": "Europe/Berlin", "expectedVersion": 1 });
    let changed = about(adam, "updateNotificationAddress", &id, &change).await;
    for (field, value) in [
        ("label", json!("Bureau")),
        ("alertKinds", json!([])),
        ("lowBalanceThreshold", json!("12.5")),
        ("locale", json!("de")),
        ("timezone", json!("Europe/Berlin")),
        ("version", json!(2)),
    ] {
        expected[field] = value;
    }
    assert_eq!(changed["notificationAddress"], expected);
    let before = state(&app).await;
    about(
        adam,
        "updateNotificationAddress",
        &id,
        &json!({ "label": "Bureau", "locale": "de" }),
    )
    .await;
    assert_eq!(state(&app).await, before, "the same again changes nothing");
    let listed = &before["notificationAddresses"];
    assert_eq!(
        (listed[0]["id"].as_str(), listed[1].is_null()),
        (Some(id.as_str()), true)
    );
    let cleared = about(
        adam,
        "updateNotificationAddress",
        &id,
        &json!({ "lowBalanceThreshold": null }),
    )
    .await;
    assert_eq!(cleared["notificationAddress"]["lowBalanceThreshold"], Value::Null);

    let vouch = json!({ "email": "bureau@bureau.example", "emailVerified": true });
    let vouched = about(&app.platform, "updateNotificationAddress", &id, &vouch).await;
    let address = &vouched["notificationAddress"];
    assert_eq!(
        (
            &address["emailStatus"],
            &address["vouchedBy"]["kind"],
            &address["vouchedAt"]
        ),
        (
            &json!("VERIFIED"),
            &json!("API_KEY"),
            &json!("2026-03-02T09:00:00.000Z")
        )
    );
    app.advance(Duration::from_mins(1));
    let before = app.mail().await;
    let removed = about(adam, "removeNotificationAddress", &id, &json!({})).await;
    let address = &removed["notificationAddress"];
    assert_eq!(
        (&address["email"], &address["removedAt"]),
        (&Value::Null, &json!("2026-03-02T09:01:00.000Z")),
        "where it was is forgotten"
    );
    let farewell = sent(&app, &before).await;
    assert!(farewell.contains("bureau@bureau.example"), "{farewell}");
    let after = state(&app).await;
    assert_eq!(after["notificationAddresses"], json!([]));
    about(adam, "removeNotificationAddress", &id, &json!({})).await;
    assert_eq!(state(&app).await, after, "it is removed once");
    for (name, with) in [
        ("updateNotificationAddress", json!({ "label": "Back" })),
        ("sendNotificationAddressVerification", json!({})),
    ] {
        let refused = about(adam, name, &id, &with).await;
        assert!(["NOT_FOUND", "CONTACT_INVALID"].contains(&code(&refused)), "{refused}");
    }
    assert_eq!(state(&app).await, after);
}

#[tokio::test]
async fn what_is_no_good_is_refused_and_nothing_changes() {
    let app = TestApp::start().await;
    let adam = &app.team.admin.client;
    let id = id_of(
        &adam
            .mutate("addNotificationAddress", FIELDS, accounting(&json!({})))
            .await,
    );
    let other = json!({ "label": "Other", "email": "other@bureau.example" });
    adam.mutate("addNotificationAddress", FIELDS, accounting(&other)).await;
    let before = state(&app).await;
    let inputs = [
        (json!({ "email": "books" }), "VALIDATION", "email"),
        (
            json!({ "email": "books@bureau.example\r\nBcc: all@example.com" }),
            "VALIDATION",
            "email",
        ),
        (json!({ "label": "Click http://evil.example" }), "VALIDATION", "label"),
        (json!({ "label": "Ledgerbell" }), "VALIDATION", "label"),
        (json!({ "locale": "de_DE" }), "VALIDATION", "locale"),
        (
            json!({ "lowBalanceThreshold": "-1" }),
            "VALIDATION",
            "lowBalanceThreshold",
        ),
        (
            json!({ "alertKinds": ["LOW_BALANCE", "SESSION_CHARGED"] }),
            "VALIDATION",
            "alertKinds",
        ),
        (json!({ "alertKinds": ["API_KEY_CHANGED"] }), "VALIDATION", "alertKinds"),
        (
            json!({ "alertKinds": ["CONTACT_BOUNCING"] }),
            "VALIDATION",
            "alertKinds",
        ),
        (json!({ "alertKinds": ["TEST"] }), "VALIDATION", "alertKinds"),
        (json!({ "email": "OTHER@bureau.example" }), "EMAIL_TAKEN", "email"),
        (
            json!({ "email": "new@bureau.example", "emailVerified": true }),
            "FORBIDDEN",
            "emailVerified",
        ),
    ];
    for (with, expected, field) in &inputs {
        let new = accounting(with);
        let added = adam.mutate("addNotificationAddress", FIELDS, new).await;
        let changed = about(adam, "updateNotificationAddress", &id, with).await;
        for refused in [added, changed] {
            assert_eq!(
                (code(&refused), &refused["userErrors"][0]["field"][0]),
                (*expected, &json!(field)),
                "{with}: {refused}"
            );
            let shown = &refused["notificationAddress"]["label"];
            assert_eq!(shown == "Other", *expected == "EMAIL_TAKEN", "{refused}");
        }
    }
    for (with, field) in [
        (json!({ "email": null }), "email"),
        (json!({ "label": null }), "label"),
        (json!({ "alertKinds": null }), "alertKinds"),
        (json!({ "emailVerified": true }), "emailVerified"),
    ] {
        let refused = about(&app.platform, "updateNotificationAddress", &id, &with).await;
        assert_eq!(
            (code(&refused), &refused["userErrors"][0]["field"][0]),
            ("VALIDATION", &json!(field))
        );
    }
    let late = about(
        adam,
        "updateNotificationAddress",
        &id,
        &json!({ "label": "x", "expectedVersion": 7 }),
    )
    .await;
    assert_eq!(
        (code(&late), &late["notificationAddress"]["version"]),
        ("VERSION_CONFLICT", &json!(1))
    );
    assert_eq!(state(&app).await, before);

    assert_eq!(app.mail().await, [""; 0]);
}

#[tokio::test]
async fn strangers_and_plain_members_are_refused_and_nothing_changes() {
    let app = TestApp::start().await;
    let adam = &app.team.admin.client;
    let id = id_of(
        &adam
            .mutate("addNotificationAddress", FIELDS, accounting(&json!({})))
            .await,
    );
    let stranger = app.another_team("other").await;
    let reader = app
        .key_of(Some(app.team.account.id), Side::Team, &[Permission::ReadCreditLog])
        .await;
    let before = state(&app).await;
    let nobody = [&app.team.member.client, &reader, &stranger.owner.client];
    for (client, expected) in nobody.into_iter().zip(["FORBIDDEN", "FORBIDDEN", "NOT_FOUND"]) {
        let mut new = accounting(&json!({ "email": "third@bureau.example" }));
        new["accountId"] = json!(app.team.id());
        assert_eq!(
            code(&client.mutate("addNotificationAddress", FIELDS, new).await),
            expected
        );
        for (name, with) in [
            ("updateNotificationAddress", json!({ "label": "Mine" })),
            ("removeNotificationAddress", json!({})),
            ("sendNotificationAddressVerification", json!({})),
            ("verifyNotificationAddress", json!({ "code": "12345678" })),
        ] {
            assert_eq!(code(&about(client, name, &id, &with).await), expected, "{name}");
        }
        let seen = "query ($id: ID!, $account: ID) { node(id: $id) { id } account(id: $account) { notificationAddresses { id } } }";
        let answer = client.query(seen, json!({ "id": id, "account": app.team.id() })).await;
        for path in ["/data/node", "/data/account/notificationAddresses"] {
            assert!(answer.body.pointer(path).is_none_or(Value::is_null), "{}", answer.body);
        }
    }
    let member = app.team.member.id();
    let refused = about(adam, "removeNotificationAddress", &member, &json!({})).await;
    assert_eq!(code(&refused), "NOT_FOUND", "a member is no notification address");
    assert_eq!(state(&app).await, before);
    assert_eq!(app.mail().await, [""; 0]);
}

#[tokio::test]
async fn an_account_has_at_most_twenty_addresses() {
    let app = TestApp::start().await;
    let adam = &app.team.admin.client;
    let mut last = String::new();
    for number in 0..20 {
        let new = accounting(&json!({ "email": format!("books{number}@bureau.example") }));
        last = id_of(&adam.mutate("addNotificationAddress", FIELDS, new).await);
    }
    let before = state(&app).await;
    let one_more = accounting(&json!({ "email": "more@bureau.example" }));
    let refused = adam.mutate("addNotificationAddress", FIELDS, one_more.clone()).await;
    assert_eq!(code(&refused), "NOTIFICATION_ADDRESS_LIMIT", "{refused}");
    assert_eq!(state(&app).await, before);
    about(adam, "removeNotificationAddress", &last, &json!({})).await;
    assert_eq!(
        code(&adam.mutate("addNotificationAddress", FIELDS, one_more).await),
        "accepted"
    );
}

#[tokio::test]
async fn an_address_is_verified_by_the_code_that_was_sent_there() {
    let app = TestApp::start().await;
    let adam = &app.team.admin.client;
    let id = id_of(
        &adam
            .mutate("addNotificationAddress", FIELDS, accounting(&json!({})))
            .await,
    );
    let verify = async |code: &str| about(adam, "verifyNotificationAddress", &id, &json!({ "code": code })).await;
    assert_eq!(code(&verify("12345678").await), "CODE_INVALID", "none was sent");
    let mail = ask(&app, &id).await;
    assert_eq!(header(&mail, "To").as_deref(), Some("books@bureau.example"));
    for name in ["Accounting", "The team", "Adam", "confirm-address"] {
        assert!(
            !mail.contains(name),
            "it names nobody, and there is no link without an address of the server: {mail}"
        );
    }
    let too_soon = about(adam, "sendNotificationAddressVerification", &id, &json!({})).await;
    assert_eq!(code(&too_soon), "RATE_LIMITED");
    let good = code_in(&mail);
    let wrong = if good == "00000000" { "00000001" } else { "00000000" };
    let refused = verify(wrong).await;
    assert_eq!(
        (code(&refused), &refused["userErrors"][0]["field"][0]),
        ("CODE_INVALID", &json!("code"))
    );
    about(
        adam,
        "updateNotificationAddress",
        &id,
        &json!({ "email": "new@bureau.example" }),
    )
    .await;
    assert_eq!(code(&verify(&good).await), "CODE_INVALID", "it is of another address");
    app.advance(Duration::from_mins(1));
    let good = code_in(&ask(&app, &id).await);
    let verified = verify(&good).await;
    assert_eq!(verified["notificationAddress"]["emailStatus"], "VERIFIED", "{verified}");
    assert_eq!(code(&verify(&good).await), "CODE_INVALID", "a code is good once");
    let again = about(adam, "sendNotificationAddressVerification", &id, &json!({})).await;
    assert_eq!(code(&again), "CONTACT_INVALID", "it is verified");
    let moved = about(
        adam,
        "updateNotificationAddress",
        &id,
        &json!({ "email": "third@bureau.example" }),
    )
    .await;
    assert_eq!(moved["notificationAddress"]["emailStatus"], "UNVERIFIED");
}

#[tokio::test]
async fn a_link_confirms_by_a_button_and_never_by_being_followed() {
    let app = start().await;
    let adam = &app.team.admin.client;
    let german = accounting(&json!({ "locale": "de" }));
    let id = id_of(&adam.mutate("addNotificationAddress", FIELDS, german).await);
    let mail = ask(&app, &id).await;
    assert!(words(&mail).contains("Adresse best"), "{mail}");
    let link = link_in(&mail);
    let before = state(&app).await;
    for method in ["HEAD", "GET", "GET"] {
        let request = app.anonymous().request(method.parse().expect("a method"), &link);
        let page = request.send().await.expect("an answer");
        assert_eq!(page.status(), 200);
        let headers = page.headers().clone();
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(headers["x-robots-tag"], "noindex, nofollow");
        let text = page.text().await.expect("a page");
        let button = "<button name=\"confirm\" value=\"yes\">Bestätigen</button>";
        assert!(method == "HEAD" || text.contains(button), "{text}");
        assert!(
            !text.contains("Accounting") && !text.contains("The team"),
            "it names nobody: {text}"
        );
    }
    for (content_type, body) in [(FORM, ""), (FORM, "confirm=no"), ("application/json", "confirm=yes")] {
        assert_eq!(
            post(&app, &link, content_type, body).await.0,
            400,
            "{content_type} {body}"
        );
    }
    assert_eq!(post(&app, &link, FORM, &"x".repeat(5_000)).await.0, 413);
    let forged = format!("{link}x");
    assert_eq!(post(&app, &forged, FORM, "confirm=yes").await.0, 403);
    let unsubscribe = link.replace("/confirm-address", "/unsubscribe");
    assert_eq!(
        post(&app, &unsubscribe, FORM, "List-Unsubscribe=One-Click").await.0,
        403
    );
    assert_eq!(state(&app).await, before, "nothing has changed yet");

    let (status, page) = post(&app, &link, FORM, "confirm=yes").await;
    assert_eq!(status, 200);
    assert!(page.contains("Die Adresse ist bestätigt"), "{page}");
    assert_eq!(status_of(&app, &id).await, "VERIFIED");
    let after = state(&app).await;
    assert_ne!(after["liveCursor"], before["liveCursor"], "clients hear of it");
    assert_eq!(post(&app, &link, FORM, "confirm=yes").await.0, 200);
    assert_eq!(state(&app).await, after, "the same again changes nothing");
}

#[tokio::test]
async fn a_link_is_no_good_for_another_address_too_late_or_once_it_is_removed() {
    let app = start().await;
    let adam = &app.team.admin.client;
    let id = id_of(
        &adam
            .mutate("addNotificationAddress", FIELDS, accounting(&json!({})))
            .await,
    );
    let link = link_in(&ask(&app, &id).await);
    let is_gone = async |link: &str| {
        let before = state(&app).await;
        let (status, page) = post(&app, link, FORM, "confirm=yes").await;
        assert_eq!(state(&app).await, before);
        status == 200 && page.contains("There is nothing to confirm")
    };
    about(
        adam,
        "updateNotificationAddress",
        &id,
        &json!({ "email": "new@bureau.example" }),
    )
    .await;
    assert!(is_gone(&link).await, "another address");
    app.advance(Duration::from_mins(1));
    about(
        adam,
        "updateNotificationAddress",
        &id,
        &json!({ "email": "books@bureau.example" }),
    )
    .await;
    assert!(is_gone(&link).await, "the same address, given anew since");
    let link = link_in(&ask(&app, &id).await);
    app.advance(Duration::from_hours(7 * 24));
    assert!(is_gone(&link).await, "too late");
    let link = link_in(&ask(&app, &id).await);
    about(adam, "removeNotificationAddress", &id, &json!({})).await;
    assert!(is_gone(&link).await, "removed");
}

#[tokio::test]
async fn mails_by_which_addresses_are_confirmed_are_bounded_for_each_address_and_for_the_account() {
    let settings = [
        ("mail.unverified_per_account", "3"),
        ("mail.unverified_per_address", "2"),
        ("mail.unverified_per_caller", "10"),
    ];
    let app = Box::pin(TestApp::start_with(&settings)).await;
    let adam = &app.team.admin.client;
    let id = id_of(
        &adam
            .mutate("addNotificationAddress", FIELDS, accounting(&json!({})))
            .await,
    );
    let mut verdicts = Vec::new();
    for email in ["books", "books+a", "books+b", "other", "third"] {
        app.advance(Duration::from_mins(1));
        let email = format!("{email}@bureau.example");
        about(adam, "updateNotificationAddress", &id, &json!({ "email": email })).await;
        let asked = about(adam, "sendNotificationAddressVerification", &id, &json!({})).await;
        verdicts.push(code(&asked).to_owned());
    }
    assert_eq!(
        verdicts,
        ["accepted", "accepted", "RATE_LIMITED", "accepted", "RATE_LIMITED"]
    );
    assert_eq!(app.mail().await.len(), 3);
    app.advance(Duration::from_hours(24));
    let asked = about(adam, "sendNotificationAddressVerification", &id, &json!({})).await;
    assert_eq!(code(&asked), "accepted", "{asked}");
}

#[tokio::test]
async fn refusals_are_in_the_viewers_language() {
    let app = TestApp::start().await;
    let adam = &app.team.admin.client;
    adam.mutate("updateContact", "", json!({ "locale": "de" })).await;
    let id = id_of(
        &adam
            .mutate("addNotificationAddress", FIELDS, accounting(&json!({})))
            .await,
    );
    for (refused, message) in [
        (
            adam.mutate("addNotificationAddress", FIELDS, accounting(&json!({})))
                .await,
            "Eine andere Benachrichtigungsadresse des Kontos hat diese E-Mail-Adresse.",
        ),
        (
            about(adam, "verifyNotificationAddress", &id, &json!({ "code": "1" })).await,
            "Der Code ist falsch oder abgelaufen: Fordern Sie mit sendNotificationAddressVerification einen neuen an.",
        ),
        (
            about(adam, "removeNotificationAddress", "nad_x", &json!({})).await,
            "Diese Benachrichtigungsadresse gibt es nicht.",
        ),
    ] {
        assert_eq!(refused["userErrors"][0]["message"], message, "{refused}");
    }
}
