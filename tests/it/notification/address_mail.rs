//! Mail to notification addresses: what is sent, what is not, and with which result.

use std::time::Duration;

use serde_json::{Value, json};

use super::addresses::{FIELDS, about, accounting, id_of, vouched, words};
use super::smtp::{self, Answer};
use super::unsubscribing::{FORM, ONE_CLICK, header, path, post};
use super::{adjust, code, inbox, kinds, reports, set, verify};
use crate::harness::TestApp;
use crate::troubleshooting::{codes, findings, proved_by, says, send};

const EMAIL: &str = "books@bureau.example";

async fn start() -> TestApp {
    let settings = [
        ("public_url", "https://bell.example"),
        ("app_url", "https://app.example/credits"),
        ("mail.webhook_secret", reports::SECRET),
    ];
    let app = Box::pin(TestApp::start_with(&settings)).await;
    app.top_up(100).await;
    app.evaluate().await;
    app
}

/// Returns the deliveries to an address, newest first: kind of the alert, status, reason and recipient.
async fn deliveries(app: &TestApp, id: &str) -> Vec<Value> {
    let query = "query ($id: ID!) { node(id: $id) { ... on NotificationAddress { deliveries(first: 100) { nodes { id channel status
        suppressedBecause address attempts alert { id kind } recipient { id } notificationAddress { id label } } } } } }";
    let answer = app.platform.query(query, json!({ "id": id })).await;
    answer.at("/node/deliveries/nodes").as_array().expect("a list").clone()
}

/// Returns the newest mail to an address: its kind, status and reason.
async fn newest(app: &TestApp, id: &str) -> (Value, Value, Value) {
    let deliveries = deliveries(app, id).await;
    let one = deliveries.first().expect("a delivery");
    (
        one["alert"]["kind"].clone(),
        one["status"].clone(),
        one["suppressedBecause"].clone(),
    )
}

fn became(kind: &str, status: &str, reason: Value) -> (Value, Value, Value) {
    (json!(kind), json!(status), reason)
}

/// Returns the mails to an address.
async fn mails(app: &TestApp, email: &str) -> Vec<String> {
    let mails = app.mail().await.into_iter();
    let to = format!("To: {email}");
    mails.filter(|mail| mail.contains(&to)).collect()
}

async fn freeze(app: &TestApp, frozen: bool, reason: &str) {
    app.advance(Duration::from_secs(1));
    let mut input = json!({ "accountId": app.team.id() });
    let name = if frozen {
        input["reason"] = json!(reason);
        "freezeAccount"
    } else {
        "unfreezeAccount"
    };
    let done = app.platform.mutate(name, "", input).await;
    assert_eq!(code(&done), "accepted", "{done}");
    app.evaluate().await;
}

#[tokio::test]
async fn an_address_gets_the_kinds_that_were_chosen_for_it_and_nothing_that_only_members_may_read() {
    let app = start().await;
    let all = json!(["LOW_BALANCE", "ACCOUNT_FROZEN", "ACCOUNT_UNFROZEN"]);
    let id = vouched(&app, &json!({ "alertKinds": all, "lowBalanceThreshold": "40" })).await;
    // No member has a threshold: the address alone watches the level.
    adjust(&app, "-65").await;
    let mail = mails(&app, EMAIL).await.pop().expect("a mail");
    assert_eq!(
        header(&mail, "Subject").as_deref(),
        Some("Credits are running low (The team)")
    );
    assert_eq!(header(&mail, "To").as_deref(), Some(EMAIL));
    assert_eq!(header(&mail, "List-Unsubscribe-Post").as_deref(), Some(ONE_CLICK));
    assert_eq!(header(&mail, "X-Auto-Response-Suppress").as_deref(), Some("All"));
    assert!(header(&mail, "References").is_some_and(|id| id.starts_with("<thread.")));
    let text = words(&mail);
    for part in [
        "Hello,",
        "35 credits are left",
        "this address was chosen for messages about the credits of The team",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(
        !text.contains("Accounting") && !text.contains("you are a member"),
        "{text}"
    );
    let sent = &deliveries(&app, &id).await[0];
    assert_eq!(
        (&sent["status"], &sent["channel"], &sent["recipient"], &sent["address"]),
        (
            &json!("SENT"),
            &json!("EMAIL"),
            &Value::Null,
            &json!("b***@bureau.example")
        )
    );
    assert_eq!(sent["notificationAddress"], json!({ "id": id, "label": "Accounting" }));
    let of_alert = "query ($id: ID!) { node(id: $id) { ... on Alert { deliveries { nodes { id } } } } }";
    let of_alert = app.platform.query(of_alert, json!({ "id": sent["alert"]["id"] })).await;
    assert!(
        of_alert
            .at("/node/deliveries/nodes")
            .to_string()
            .contains(sent["id"].as_str().expect("an id"))
    );

    // No mail about sessions. For a frozen account only the fact, without the reason.
    super::complete(&app, &app.team, "one").await;
    app.evaluate().await;
    freeze(&app, true, "Invoice of Mia is open").await;
    let mail = mails(&app, EMAIL).await;
    let frozen = mail
        .iter()
        .find(|mail| mail.contains("frozen"))
        .expect("a mail")
        .clone();
    assert_eq!(mail.len(), 2, "{mail:?}");
    assert!(!frozen.contains("Mia"), "{frozen}");
    let has_link = header(&frozen, "List-Unsubscribe").is_some();
    assert!(has_link, "what members cannot switch off an address can: {frozen}");
    assert_eq!(
        inbox(&app.team.member.client)
            .await
            .0
            .iter()
            .filter(|alert| alert["kind"] == "LOW_BALANCE")
            .count(),
        0
    );
}

#[tokio::test]
async fn what_is_not_urgent_and_comes_together_is_one_mail_and_a_balance_that_swings_is_not_told_twice() {
    let app = start().await;
    let chosen = json!({ "alertKinds": ["TOP_UP_SUCCEEDED", "BALANCE_RECOVERED", "LOW_BALANCE"], "lowBalanceThreshold": "40",
        "locale": "de", "timezone": "Europe/Berlin" });
    let id = vouched(&app, &chosen).await;
    app.top_up(3).await;
    app.top_up(4).await;
    app.evaluate().await;
    let mail = mails(&app, EMAIL).await;
    assert_eq!(mail.len(), 1, "{mail:?}");
    assert_eq!(
        header(&mail[0], "Subject").as_deref(),
        Some("2 Nachrichten zum Guthaben von The team")
    );
    for amount in ["-80", "60", "-60"] {
        adjust(&app, amount).await;
        app.mail().await;
    }
    let low: Vec<_> = deliveries(&app, &id)
        .await
        .into_iter()
        .filter(|one| one["alert"]["kind"] == "LOW_BALANCE")
        .collect();
    let statuses: Vec<_> = low
        .iter()
        .map(|one| one["status"].as_str().expect("a status"))
        .collect();
    assert_eq!(
        statuses,
        ["QUEUED", "SENT"],
        "the second waits for the end of the pause"
    );
}

#[tokio::test]
async fn whether_a_mail_may_go_is_decided_again_when_it_is_sent() {
    let (app, server) = smtp::start().await;
    app.top_up(100).await;
    app.evaluate().await;
    let kinds = json!({ "alertKinds": ["ACCOUNT_FROZEN", "ACCOUNT_UNFROZEN"] });
    let admin = &app.team.admin.client;
    for (number, (change, reason)) in [
        (json!({ "email": "new@bureau.example" }), "CONTACT_UNVERIFIED"),
        (json!({ "alertKinds": [] }), "PREFERENCE_OFF"),
        (json!(null), "NOT_A_RECIPIENT"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = vouched(&app, &kinds).await;
        freeze(&app, true, &format!("frozen {number}")).await;
        assert_eq!(newest(&app, &id).await, became("ACCOUNT_FROZEN", "QUEUED", Value::Null));
        let changed = match change {
            Value::Null => about(admin, "removeNotificationAddress", &id, &json!({})).await,
            _ => about(admin, "updateNotificationAddress", &id, &change).await,
        };
        assert_eq!(code(&changed), "accepted", "{changed}");
        app.mail().await;
        assert_eq!(
            newest(&app, &id).await,
            became("ACCOUNT_FROZEN", "SUPPRESSED", json!(reason))
        );
        let resent = json!({ "deliveryId": deliveries(&app, &id).await[0]["id"] });
        let refused = admin.mutate("resendDelivery", "delivery { id }", resent).await;
        assert_eq!(code(&refused), "DELIVERY_NOT_RESENDABLE", "{refused}");
        freeze(&app, false, &format!("active {number}")).await;
        about(admin, "removeNotificationAddress", &id, &json!({})).await;
    }
    // An alert that has ended before it is sent is not sent.
    let id = vouched(&app, &json!({ "alertKinds": ["ACCOUNT_FROZEN"] })).await;
    freeze(&app, true, "frozen again").await;
    freeze(&app, false, "active again").await;
    app.mail().await;
    assert_eq!(
        newest(&app, &id).await,
        became("ACCOUNT_FROZEN", "SUPPRESSED", json!("ENDED"))
    );
    let to_bureau = server
        .taken()
        .into_iter()
        .filter(|mail| mail.contains("To: ") && mail.contains("@bureau.example"));
    let told: Vec<_> = to_bureau.filter(|mail| !mail.contains("no longer gets")).collect();
    assert_eq!(told, [""; 0]);
}

#[tokio::test]
async fn an_address_that_is_not_verified_gets_nothing_however_urgent_it_is() {
    let app = start().await;
    let admin = &app.team.admin.client;
    let chosen = json!({ "alertKinds": ["BALANCE_DEPLETED", "TOP_UP_FAILED"] });
    let id = id_of(
        &admin
            .mutate("addNotificationAddress", FIELDS, accounting(&chosen))
            .await,
    );
    adjust(&app, "-100").await;
    assert_eq!(
        newest(&app, &id).await,
        became("BALANCE_DEPLETED", "SUPPRESSED", json!("CONTACT_UNVERIFIED"))
    );
    assert_eq!(mails(&app, EMAIL).await, [""; 0]);
    let vouch = json!({ "email": "bureau@bureau.example", "emailVerified": true });
    about(&app.platform, "updateNotificationAddress", &id, &vouch).await;
    let resent = json!({ "deliveryId": deliveries(&app, &id).await[0]["id"] });
    let resent = admin
        .mutate(
            "resendDelivery",
            "delivery { notificationAddress { id } recipient { id } }",
            resent,
        )
        .await;
    assert_eq!(
        resent["delivery"],
        json!({ "notificationAddress": { "id": id }, "recipient": null }),
        "{resent}"
    );
    assert_eq!(mails(&app, "bureau@bureau.example").await.len(), 1);
}

#[tokio::test]
async fn one_click_ends_any_kind_for_this_address_and_nothing_else() {
    let app = start().await;
    let chosen = json!({ "alertKinds": ["ACCOUNT_FROZEN", "TOP_UP_SUCCEEDED"], "locale": "de" });
    let id = vouched(&app, &chosen).await;
    verify(&app, &app.team.owner).await;
    freeze(&app, true, "frozen").await;
    let mail = mails(&app, EMAIL).await.pop().expect("a mail");
    let link = path(&mail);
    let page = app.anonymous().get(&link).send().await.expect("an answer");
    let page = page.text().await.expect("a page");
    assert!(
        page.contains("Keine E-Mails dieser Art mehr?") && !page.contains("in der App"),
        "{page}"
    );
    let kinds_of = async || {
        let query = "query ($id: ID!) { node(id: $id) { ... on NotificationAddress { alertKinds version } } }";
        app.platform.query(query, json!({ "id": id })).await.at("/node").clone()
    };
    let before = kinds_of().await;
    assert_eq!(
        before["alertKinds"].as_array().map(Vec::len),
        Some(2),
        "nothing has changed yet"
    );
    let (status, page) = post(&app, &link, FORM, ONE_CLICK).await;
    assert!(
        status == 200 && page.contains("Fragen Sie das Team, wenn Sie sie wieder erhalten möchten"),
        "{page}"
    );
    let after = kinds_of().await;
    assert_eq!(after["alertKinds"], json!(["TOP_UP_SUCCEEDED"]));
    assert_eq!(post(&app, &link, FORM, ONE_CLICK).await.0, 200);
    assert_eq!(kinds_of().await, after, "the same again changes nothing");
    freeze(&app, false, "active").await;
    freeze(&app, true, "again").await;
    assert_eq!(mails(&app, EMAIL).await.len(), 1);
    let all = app.mail().await;
    let to_olga = all
        .iter()
        .filter(|mail| mail.contains("olga@team.example") && mail.contains("frozen"));
    assert_eq!(to_olga.count(), 2, "members get theirs");
    about(&app.team.admin.client, "removeNotificationAddress", &id, &json!({})).await;
    let (status, page) = post(&app, &link, FORM, ONE_CLICK).await;
    assert!(
        status == 200 && page.contains("These e-mails are already off"),
        "{page}"
    );
}

#[tokio::test]
async fn an_address_that_refuses_mail_is_bouncing_admins_hear_of_it_and_it_gets_nothing_more() {
    let (app, server) = smtp::start().await;
    let id = vouched(&app, &json!({ "alertKinds": ["TOP_UP_SUCCEEDED"] })).await;
    server.answer(Answer::Refuse("550 5.1.1 no such user here"));
    app.top_up(3).await;
    app.evaluate().await;
    app.mail().await;
    assert_eq!(
        newest(&app, &id).await,
        became("TOP_UP_SUCCEEDED", "BOUNCED", Value::Null)
    );
    let query = "query ($id: ID!) { node(id: $id) { ... on NotificationAddress { emailStatus bounceMessage } } }";
    let address = app.platform.query(query, json!({ "id": id })).await.at("/node").clone();
    assert_eq!(
        address,
        json!({ "emailStatus": "BOUNCING", "bounceMessage": "The receiving mail system does not know this mailbox." })
    );
    let told = async || {
        let (alerts, _) = inbox(&app.team.admin.client).await;
        let found = alerts.into_iter().find(|alert| alert["kind"] == "CONTACT_BOUNCING");
        found.expect("an alert")
    };
    assert_eq!(told().await["title"], "Mail to Accounting bounces");
    assert!(!kinds(&app.team.member).await.contains(&"CONTACT_BOUNCING".to_owned()));
    let found = findings(&app.team.owner.client).await;
    let finding = found
        .into_iter()
        .find(|one| one["code"] == "CONTACT_BOUNCING")
        .expect("a finding");
    assert_eq!(finding["summary"], "Mail to Accounting bounces");
    assert_eq!(finding["remedy"]["mutation"], "sendNotificationAddressVerification");
    says(&finding, &[EMAIL, "Nothing is sent there"]);
    server.answer(Answer::Take);
    app.advance(Duration::from_secs(1));
    app.top_up(4).await;
    app.evaluate().await;
    app.mail().await;
    assert_eq!(
        newest(&app, &id).await,
        became("TOP_UP_SUCCEEDED", "SUPPRESSED", json!("CONTACT_BOUNCING"))
    );

    // A change of the address ends it.
    let vouch = json!({ "email": "bureau@bureau.example", "emailVerified": true });
    about(&app.platform, "updateNotificationAddress", &id, &vouch).await;
    app.evaluate().await;
    assert!(!codes(&app).await.contains(&"CONTACT_BOUNCING".to_owned()));
    assert!(told().await["resolvedAt"].is_string());
}

#[tokio::test]
async fn a_mail_to_an_address_whose_answer_is_lost_goes_again_under_the_same_id() {
    let (app, server) = smtp::start().await;
    app.top_up(100).await;
    app.evaluate().await;
    app.mail().await;
    let id = vouched(&app, &json!({ "alertKinds": ["ACCOUNT_UNFROZEN"] })).await;
    freeze(&app, true, "frozen").await;
    app.mail().await;
    let before = server.taken().len();
    server.answer(Answer::TakeAndDrop);
    freeze(&app, false, "active").await;
    app.mail().await;
    assert_eq!(
        newest(&app, &id).await,
        became("ACCOUNT_UNFROZEN", "QUEUED", Value::Null)
    );
    server.answer(Answer::Take);
    app.advance(Duration::from_mins(1));
    app.mail().await;
    assert_eq!(newest(&app, &id).await, became("ACCOUNT_UNFROZEN", "SENT", Value::Null));
    let taken = server.taken();
    let ids: Vec<_> = taken[before..].iter().map(|mail| reports::message_id(mail)).collect();
    assert_eq!(ids.len(), 2, "{taken:?}");
    assert_eq!(ids[0], ids[1]);
    assert!(ids[0].starts_with("<dlv_"), "{ids:?}");
}

#[tokio::test]
async fn reports_of_mail_mark_an_address_and_a_complaint_ends_all_that_goes_there() {
    let app = start().await;
    let admin = &app.team.admin.client;
    let status_of = async |id: &str| {
        let query = "query ($id: ID!) { node(id: $id) { ... on NotificationAddress { emailStatus alertKinds } } }";
        app.platform.query(query, json!({ "id": id })).await.at("/node").clone()
    };
    // The mail that would confirm the address bounces.
    let id = id_of(
        &admin
            .mutate("addNotificationAddress", FIELDS, accounting(&json!({})))
            .await,
    );
    about(admin, "sendNotificationAddressVerification", &id, &json!({})).await;
    let asked = mails(&app, EMAIL).await.pop().expect("a mail");
    let bounce = |id: &str, kind: &str, mail: &str, address: &str| {
        json!({ "id": id, "type": kind, "messageId": reports::message_id(mail), "address": address,
            "reason": "550 5.1.1 no such user" })
    };
    let elsewhere = bounce("r0", "HARD_BOUNCE", &asked, "other@bureau.example");
    reports::report(&app, &elsewhere).await;
    assert_eq!(
        status_of(&id).await["emailStatus"],
        "UNVERIFIED",
        "it is about another address"
    );
    assert_eq!(
        reports::report(&app, &bounce("r1", "HARD_BOUNCE", &asked, EMAIL)).await,
        "kept"
    );
    assert_eq!(status_of(&id).await["emailStatus"], "BOUNCING");
    about(admin, "removeNotificationAddress", &id, &json!({})).await;

    let id = vouched(&app, &json!({ "alertKinds": ["ACCOUNT_FROZEN", "LOW_BALANCE"] })).await;
    freeze(&app, true, "frozen").await;
    let sent = mails(&app, EMAIL).await;
    let sent = sent.iter().find(|mail| mail.contains("frozen")).expect("a mail");
    assert_eq!(
        reports::report(&app, &bounce("r2", "COMPLAINT", sent, EMAIL)).await,
        "kept"
    );
    let after = status_of(&id).await;
    assert_eq!(after, json!({ "emailStatus": "BOUNCING", "alertKinds": [] }));
    assert_eq!(
        reports::report(&app, &bounce("r2", "COMPLAINT", sent, EMAIL)).await,
        "kept"
    );
    assert_eq!(status_of(&id).await, after);
}

#[tokio::test]
async fn an_address_that_waits_to_be_verified_is_a_finding_with_a_remedy_that_can_be_sent() {
    let app = start().await;
    let admin = &app.team.admin.client;
    let before = codes(&app).await;
    let id = id_of(
        &admin
            .mutate(
                "addNotificationAddress",
                FIELDS,
                accounting(&json!({ "alertKinds": [] })),
            )
            .await,
    );
    assert_eq!(codes(&app).await, before, "nothing was chosen for it");
    about(
        admin,
        "updateNotificationAddress",
        &id,
        &json!({ "alertKinds": ["LOW_BALANCE"] }),
    )
    .await;
    let all = findings(admin).await;
    let is_of_address = |one: &Value| proved_by(one) == ["NotificationAddress"];
    let found = all.into_iter().find(is_of_address).expect("a finding");
    assert_eq!(
        (&found["code"], &found["evidence"][0]["id"]),
        (&json!("CONTACT_UNVERIFIED"), &json!(id))
    );
    assert_eq!(found["summary"], "The address of Accounting is not verified");
    assert_eq!(found["remedy"]["mutation"], "sendNotificationAddressVerification");
    assert_eq!(
        found["remedy"]["variables"],
        json!({ "input": { "notificationAddressId": id } })
    );
    assert!(
        found["remedy"]["help"]
            .as_str()
            .is_some_and(|help| help.contains("confirms the address with the link"))
    );
    send(admin, &found).await;
    assert_eq!(mails(&app, EMAIL).await.len(), 1);
    let vouch = json!({ "email": "bureau@bureau.example", "emailVerified": true });
    about(&app.platform, "updateNotificationAddress", &id, &vouch).await;
    assert_eq!(codes(&app).await, before);
}

#[tokio::test]
async fn members_and_addresses_watch_their_own_levels() {
    let app = start().await;
    let olga = &app.team.owner;
    verify(&app, olga).await;
    set(olga, json!({ "lowBalanceThreshold": "20" })).await;
    let id = vouched(
        &app,
        &json!({ "alertKinds": ["LOW_BALANCE"], "lowBalanceThreshold": "60" }),
    )
    .await;
    adjust(&app, "-45").await;
    assert_eq!(newest(&app, &id).await, became("LOW_BALANCE", "QUEUED", Value::Null));
    assert!(
        !kinds(olga).await.contains(&"LOW_BALANCE".to_owned()),
        "55 are more than hers"
    );
    app.mail().await;
    adjust(&app, "-40").await;
    assert!(kinds(olga).await.contains(&"LOW_BALANCE".to_owned()));
    assert_eq!(deliveries(&app, &id).await.len(), 1, "the address was told before");
    // It no longer has a threshold.
    about(
        &app.team.admin.client,
        "updateNotificationAddress",
        &id,
        &json!({ "alertKinds": [] }),
    )
    .await;
    app.evaluate().await;
    adjust(&app, "80").await;
    adjust(&app, "-50").await;
    assert_eq!(deliveries(&app, &id).await.len(), 1);
}
