//! What an admin, or a key of the team, may not do to an owner; and the previous address of a contact.

use ledgerbell::primitives::actor::Permission;
use serde_json::{Value, json};

use super::code;
use crate::harness::{Client, Person, TestApp};
use crate::notification::verify;

/// Returns everything that the platform sees of a member.
async fn state(app: &TestApp, person: &Person) -> Value {
    let query = "query ($id: ID!) { node(id: $id) { ... on Member { name role version unreadAlertCount
        contact { email emailStatus locale version }
        notificationSettings { version lowBalanceThreshold preferences { kind channel enabled } }
        alerts(filter: { includeArchived: true }) { nodes { id readAt archivedAt } }
        deliveries { nodes { id channel status attempts } } } } }";
    app.platform
        .query(query, json!({ "id": person.id() }))
        .await
        .at("/node")
        .clone()
}

/// Returns the id of a mail to this member and of an alert in their inbox.
async fn told(app: &TestApp, person: &Person) -> (Value, Value) {
    let input = json!({ "memberId": person.id(), "channel": "EMAIL" });
    let sent = person
        .client
        .mutate("sendTestNotification", "alert { id }", input)
        .await;
    assert_eq!(code(&sent), "accepted", "{sent}");
    app.mail().await;
    let state = state(app, person).await;
    let deliveries = state["deliveries"]["nodes"].as_array().expect("a list");
    let mail = deliveries.iter().find(|one| one["channel"] == "EMAIL").expect("a mail");
    (mail["id"].clone(), state["alerts"]["nodes"][0]["id"].clone())
}

/// Returns all mutations that change a member's contact, settings or inbox.
fn changes(person: &Person, (mail, alert): &(Value, Value)) -> Vec<(&'static str, &'static str, Value)> {
    let id = person.id();
    vec![
        (
            "updateContact",
            "contact { version }",
            json!({ "memberId": id, "email": "thief@elsewhere.example" }),
        ),
        (
            "updateContact",
            "contact { version }",
            json!({ "memberId": id, "locale": "de" }),
        ),
        (
            "sendContactVerification",
            "contact { version }",
            json!({ "memberId": id }),
        ),
        (
            "verifyContact",
            "contact { version }",
            json!({ "memberId": id, "code": "12345678" }),
        ),
        (
            "updateNotificationSettings",
            "notificationSettings { version }",
            json!({ "memberId": id, "lowBalanceThreshold": "7" }),
        ),
        (
            "markAlertsRead",
            "unreadCount",
            json!({ "memberId": id, "alertIds": [alert] }),
        ),
        ("archiveAlerts", "unreadCount", json!({ "memberId": id, "upTo": alert })),
        (
            "sendTestNotification",
            "alert { id }",
            json!({ "memberId": id, "channel": "IN_APP" }),
        ),
        ("resendDelivery", "delivery { id }", json!({ "deliveryId": mail })),
        (
            "updateMember",
            "member { version }",
            json!({ "memberId": id, "name": "Thief" }),
        ),
        (
            "updateMember",
            "member { version }",
            json!({ "memberId": id, "role": "MEMBER" }),
        ),
        ("removeMember", "member { version }", json!({ "memberId": id })),
    ]
}

#[tokio::test]
async fn an_admin_or_a_key_of_the_team_changes_nothing_of_an_owner() {
    let app = TestApp::start().await;
    app.top_up(9).await;
    app.evaluate().await;
    let olga = &app.team.owner;
    verify(&app, olga).await;
    let told = told(&app, olga).await;
    app.advance(std::time::Duration::from_mins(3));
    let before = state(&app, olga).await;
    let key = app
        .team_key(&[Permission::ManageSettings, Permission::ManageMembers])
        .await;
    for (who, client) in [("an admin", &app.team.admin.client), ("a key of the team", &key)] {
        for (mutation, fields, input) in changes(olga, &told) {
            let refused = client.mutate(mutation, fields, input.clone()).await;
            assert_eq!(code(&refused), "FORBIDDEN", "{mutation} {input} by {who}: {refused}");
        }
    }
    assert_eq!(state(&app, olga).await, before);
    assert_eq!(app.mail().await.len(), 1, "only the owner's own test");
    // Admins may do all of that to others, and see the contact of an owner.
    let seen = app.team.admin.client.query(
        "query ($id: ID!) { node(id: $id) { ... on Member { contact { email } } } }",
        json!({ "id": olga.id() }),
    );
    assert_eq!(seen.await.at("/node/contact/email"), "olga@team.example");
    let of_mia = json!({ "memberId": app.team.member.id(), "locale": "de" });
    assert_eq!(
        code(
            &app.team
                .admin
                .client
                .mutate("updateContact", "contact { version }", of_mia)
                .await
        ),
        "accepted"
    );
}

#[tokio::test]
async fn owners_and_the_platform_change_what_reaches_an_owner() {
    let app = TestApp::start().await;
    app.top_up(9).await;
    app.evaluate().await;
    let olga = &app.team.owner;
    let second = json!({ "memberId": app.team.member.id(), "role": "OWNER" });
    assert_eq!(
        code(&olga.client.mutate("updateMember", "member { role }", second).await),
        "accepted"
    );
    let platform = app.platform_key(&[Permission::ManageSettings]).await;
    let clients: [(&str, &Client, &str); 3] = [
        ("themselves", &olga.client, "fr"),
        ("another owner", &app.team.member.client, "es"),
        ("the platform", &platform, "it"),
    ];
    for (at, (who, client, locale)) in clients.into_iter().enumerate() {
        let threshold = json!({ "memberId": olga.id(), "lowBalanceThreshold": at.to_string() });
        let changed = client
            .mutate(
                "updateNotificationSettings",
                "notificationSettings { version }",
                threshold,
            )
            .await;
        assert_eq!(code(&changed), "accepted", "{who}: {changed}");
        let locale = json!({ "memberId": olga.id(), "locale": locale });
        assert_eq!(
            code(&client.mutate("updateContact", "contact { version }", locale).await),
            "accepted",
            "{who}"
        );
        let alert = state(&app, olga).await["alerts"]["nodes"][0]["id"].clone();
        let read = json!({ "memberId": olga.id(), "alertIds": [alert] });
        assert_eq!(
            code(&client.mutate("markAlertsRead", "unreadCount", read).await),
            "accepted",
            "{who}"
        );
    }
}

/// Returns the mails that were sent to an address.
async fn mails_to(app: &TestApp, address: &str) -> Vec<String> {
    let to = format!("To: {address}");
    let mails = app.mail().await.into_iter();
    mails
        .filter(|mail| mail.lines().any(|line| line.trim() == to))
        .collect()
}

#[tokio::test]
async fn a_verified_address_that_is_replaced_or_removed_is_notified_in_neutral_words() {
    let app = TestApp::start().await;
    let (mia, adam) = (&app.team.member, &app.team.admin);
    for person in [mia, adam] {
        verify(&app, person).await;
    }
    let german = json!({ "locale": "de" });
    adam.client.mutate("updateContact", "contact { version }", german).await;
    let replaced = json!({ "memberId": mia.id(), "email": "mia@new.example" });
    let changed = adam
        .client
        .mutate("updateContact", "contact { emailStatus }", replaced)
        .await;
    assert_eq!(changed["contact"]["emailStatus"], "UNVERIFIED", "{changed}");
    let removed = json!({ "externalId": "adam", "name": "Adam", "accountId": app.team.id(), "email": null });
    assert_eq!(
        code(&app.platform.mutate("upsertMember", "member { name }", removed).await),
        "accepted"
    );

    let old = mails_to(&app, "mia@team.example").await;
    assert_eq!(old.len(), 1, "{old:?}");
    assert!(
        old[0].contains("This address no longer gets messages about credits"),
        "{}",
        old[0]
    );
    // The part after the header of the mail, without the boundaries, which are random.
    let body = old[0].lines().skip_while(|line| !line.trim().is_empty());
    let body: Vec<&str> = body.filter(|line| !line.starts_with("--")).collect();
    for word in ["Mia", "Adam", "The team", "new.example", "https:"] {
        assert!(!body.join("\n").contains(word), "no {word} in {body:?}");
    }
    assert_eq!(mails_to(&app, "adam@team.example").await.len(), 1);
    assert_eq!(
        mails_to(&app, "mia@new.example").await.len(),
        0,
        "nobody has shown whose that is"
    );
    app.advance(std::time::Duration::from_hours(1));
    assert_eq!(mails_to(&app, "mia@team.example").await.len(), 1, "once");
}

#[tokio::test]
async fn an_address_that_was_never_verified_gets_no_mail_when_it_is_replaced() {
    let app = TestApp::start().await;
    let mia = &app.team.member;
    for email in [
        json!("mia@new.example"),
        json!("mia@new.example"),
        json!("mia@newer.example"),
        Value::Null,
    ] {
        let changed = mia
            .client
            .mutate("updateContact", "contact { version }", json!({ "email": email }))
            .await;
        assert_eq!(code(&changed), "accepted");
    }
    assert!(app.mail().await.is_empty());
}
