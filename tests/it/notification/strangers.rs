//! Mail to unverified addresses: its limits, and that it contains no text of customers.

use std::time::Duration;

use ledgerbell::primitives::actor::Permission;
use serde_json::{Value, json};

use super::{adjust, code, complete, deliveries, mail_of, set, verify};
use crate::harness::{Client, Person, TestApp, with};

const CODE_FIELDS: &str = "contact { emailStatus }";

async fn send_code(client: &Client, member_id: &Value) -> Value {
    let input = json!({ "memberId": member_id });
    client.mutate("sendContactVerification", CODE_FIELDS, input).await
}

async fn change_address(client: &Client, member_id: &Value, email: &str) {
    let input = json!({ "memberId": member_id, "email": email });
    let changed = client.mutate("updateContact", "contact { email }", input).await;
    assert_eq!(changed["contact"]["email"], email, "{changed}");
}

async fn add(app: &TestApp, client: &Client, name: &str, email: &str) -> Value {
    let input = json!({ "accountId": app.team.id(), "name": name, "email": email });
    let added = client.mutate("addMember", "member { id }", input).await;
    assert_eq!(code(&added), "accepted", "{added}");
    added["member"]["id"].clone()
}

async fn test_by_mail(client: &Client, input: Value) -> Value {
    client.mutate("sendTestNotification", "alert { id }", input).await
}

/// Returns the sent mails, without notices to previous addresses.
async fn told(app: &TestApp) -> Vec<String> {
    let mails = app.mail().await.into_iter();
    mails
        .filter(|mail| !mail.contains("This address no longer gets"))
        .collect()
}

fn resend_of(deliveries: &[Value], kind: &str) -> Value {
    let mut mails = deliveries.iter().filter(|one| one["channel"] == "EMAIL");
    let mail = mails.find(|one| one["alert"]["kind"] == kind).expect("a mail");
    json!({ "deliveryId": mail["id"] })
}

/// Checks that the member's mail of this kind is SUPPRESSED with this reason.
async fn assert_suppressed(app: &TestApp, person: &Person, kind: &str, reason: &str) {
    let expected = (json!("SUPPRESSED"), json!(reason));
    assert_eq!(mail_of(app, person, kind).await, expected);
}

#[tokio::test]
async fn a_loop_over_strangers_is_bounded_by_caller_and_account_and_across_processes() {
    let settings = [
        ("mail.unverified_per_caller", "3"),
        ("mail.unverified_per_account", "4"),
    ];
    let app = TestApp::start_with(&settings).await;
    let (olga, adam) = (&app.team.owner.client, &app.team.admin.client);
    let round = async |client: &Client, number: usize| {
        let id = add(&app, client, "Guest", &format!("guest{number}@strangers.example")).await;
        let sent = send_code(client, &id).await;
        let removed = client
            .mutate("removeMember", "member { id }", json!({ "memberId": id }))
            .await;
        assert_eq!(code(&removed), "accepted");
        sent
    };
    for number in 0..3 {
        assert_eq!(code(&round(olga, number).await), "accepted");
    }
    let refused = round(olga, 3).await;
    assert_eq!((code(&refused), &refused["contact"]), ("RATE_LIMITED", &Value::Null));
    assert_eq!(app.mail().await.len(), 3, "what is refused is not mailed");
    assert_eq!(code(&round(adam, 4).await), "accepted", "another caller");
    assert_eq!(code(&round(adam, 5).await), "RATE_LIMITED", "the account's bound");

    let other = app.another_process(&settings).await;
    let mia = &app.team.member;
    let actor = app.sign_in(&mia.client).await.actor;
    let sent = other
        .services()
        .verification
        .send(&actor, app.team.account.id, mia.member.id);
    let refused = sent.await.expect_err("the bound holds for all processes");
    assert!(refused.to_string().contains("unverified addresses"), "{refused}");
    other.close().await;

    app.advance(Duration::from_hours(24));
    assert_eq!(code(&round(olga, 6).await), "accepted", "a day later");
}

#[tokio::test]
async fn counts_are_deleted_when_they_have_ended_and_not_before() {
    let app = TestApp::start_with(&[("mail.unverified_per_caller", "1")]).await;
    let mia = &app.team.member;
    let quotas = &app.services().quotas;
    let ask = async || {
        app.advance(Duration::from_mins(2));
        code(&send_code(&mia.client, &json!(mia.id())).await).to_owned()
    };
    assert_eq!(ask().await, "accepted");
    app.advance(Duration::from_hours(23));
    assert_eq!(quotas.delete_ended(100).await, Ok(0));
    assert_eq!(ask().await, "RATE_LIMITED", "it counts still");
    app.advance(Duration::from_hours(1));
    // The counts of the account, the address and the sender.
    assert_eq!(quotas.delete_ended(2).await, Ok(2));
    assert_eq!(quotas.delete_ended(2).await, Ok(1));
    assert_eq!(quotas.delete_ended(2).await, Ok(0));
    assert_eq!(ask().await, "accepted");
    assert_eq!(ask().await, "RATE_LIMITED", "counted anew");
}

#[tokio::test]
async fn one_address_is_bounded_across_accounts_and_spellings() {
    let app = TestApp::start_with(&[("mail.unverified_per_address", "2")]).await;
    let other = app.another_team("other").await;
    let mia = json!(app.team.member.id());
    change_address(&app.team.member.client, &mia, "Victim@strangers.example").await;
    assert_eq!(code(&send_code(&app.team.member.client, &mia).await), "accepted");
    let theirs = json!(other.member.id());
    change_address(&other.member.client, &theirs, "victim+spam@strangers.example").await;
    assert_eq!(code(&send_code(&other.member.client, &theirs).await), "accepted");
    let owner = json!(other.owner.id());
    change_address(&other.owner.client, &owner, "victim@strangers.example").await;
    assert_eq!(code(&send_code(&other.owner.client, &owner).await), "RATE_LIMITED");
    // After changes back and forth, it is still the same address.
    change_address(&other.owner.client, &owner, "olga@other.example").await;
    change_address(&other.owner.client, &owner, "victim@strangers.example").await;
    assert_eq!(code(&send_code(&other.owner.client, &owner).await), "RATE_LIMITED");
    assert_eq!(app.mail().await.len(), 2);
    assert!(app.mail().await.iter().all(|mail| mail.contains("is your code")));
}

#[tokio::test]
async fn critical_mail_to_an_unverified_address_is_bounded_and_says_so() {
    let app = TestApp::start_with(&[("mail.unverified_per_address", "1")]).await;
    app.top_up(10).await;
    app.evaluate().await;
    adjust(&app, "-12").await;
    assert_eq!(app.mail().await.len(), 2, "the owner and the admin, once each");
    let freeze = json!({ "accountId": app.team.id(), "reason": "Unpaid" });
    let frozen = app.platform.mutate("freezeAccount", "account { status }", freeze).await;
    assert_eq!(frozen["account"]["status"], "FROZEN", "{frozen}");
    app.evaluate().await;
    assert_eq!(app.mail().await.len(), 2);
    assert_suppressed(&app, &app.team.owner, "ACCOUNT_FROZEN", "UNVERIFIED_LIMIT").await;
    app.advance(Duration::from_hours(24));
    verify(&app, &app.team.admin).await;
    let unfrozen = json!({ "accountId": app.team.id() });
    app.platform
        .mutate("unfreezeAccount", "account { status }", unfrozen)
        .await;
    app.evaluate().await;
    let freeze = json!({ "accountId": app.team.id(), "reason": "Unpaid again" });
    app.platform.mutate("freezeAccount", "account { status }", freeze).await;
    app.evaluate().await;
    let to_admin = app
        .mail()
        .await
        .into_iter()
        .filter(|mail| mail.contains("<adam@team.example>"));
    assert_eq!(to_admin.count(), 1, "a verified address is not bounded");
}

#[tokio::test]
async fn a_member_cannot_have_mail_resent_to_a_stranger() {
    let app = TestApp::start().await;
    let mia = &app.team.member;
    verify(&app, mia).await;
    let on = json!({ "preferences": [{ "kind": "SESSION_CHARGED", "channel": "EMAIL", "enabled": true }] });
    set(mia, on).await;
    app.top_up(50).await;
    complete(&app, &app.team, "one").await;
    app.evaluate().await;
    assert_eq!(app.mail().await.len(), 1);
    app.advance(Duration::from_mins(2));
    change_address(&mia.client, &json!(mia.id()), "stranger@strangers.example").await;
    let resend = resend_of(&deliveries(&app, mia).await, "SESSION_CHARGED");
    for client in [&mia.client, &app.team.owner.client, &app.platform] {
        let refused = client.mutate("resendDelivery", "delivery { id }", resend.clone()).await;
        assert_eq!(code(&refused), "DELIVERY_NOT_RESENDABLE", "{refused}");
    }
    assert_eq!(
        mail_of(&app, mia, "SESSION_CHARGED").await,
        (json!("SENT"), Value::Null)
    );
    assert_eq!(told(&app).await.len(), 1);
    assert!(
        app.mail().await.iter().all(|mail| !mail.contains("stranger@")),
        "nothing went to the stranger"
    );
}

#[tokio::test]
async fn what_is_resent_goes_by_the_preference_the_role_and_whether_it_is_still_true() {
    let app = TestApp::start().await;
    let (olga, adam) = (&app.team.owner, &app.team.admin);
    verify(&app, adam).await;
    set(adam, json!({ "lowBalanceThreshold": "40" })).await;
    app.top_up(100).await;
    app.evaluate().await;
    adjust(&app, "-70").await;
    app.mail().await;
    assert_eq!(mail_of(&app, adam, "LOW_BALANCE").await.0, "SENT");
    app.advance(Duration::from_mins(5));
    let resend = resend_of(&deliveries(&app, adam).await, "LOW_BALANCE");
    let try_again = async || {
        olga.client
            .mutate("resendDelivery", "delivery { status }", resend.clone())
            .await
    };
    let refused = async |why: &str| {
        let answer = try_again().await;
        assert_eq!(code(&answer), "DELIVERY_NOT_RESENDABLE", "{answer}");
        let message = answer["userErrors"][0]["message"].as_str().expect("a message");
        assert!(message.contains(why), "{message}");
    };
    let off =
        |enabled: bool| json!({ "preferences": [{ "kind": "LOW_BALANCE", "channel": "EMAIL", "enabled": enabled }] });
    set(adam, off(false)).await;
    refused("switched off mail of this kind").await;
    set(adam, off(true)).await;
    let role = |role: &str| json!({ "memberId": adam.id(), "role": role });
    olga.client
        .mutate("updateMember", "member { role }", role("MEMBER"))
        .await;
    refused("another role").await;
    olga.client
        .mutate("updateMember", "member { role }", role("ADMIN"))
        .await;
    app.evaluate().await;
    adjust(&app, "90").await;
    refused("has ended").await;
}

#[tokio::test]
async fn eligibility_is_decided_again_when_a_mail_is_sent() {
    let app = TestApp::start().await;
    let (olga, adam) = (&app.team.owner, &app.team.admin);
    let before =
        |person: &'static str| json!({ "preferences": [{ "kind": person, "channel": "EMAIL", "enabled": true }] });
    for person in [olga, adam] {
        verify(&app, person).await;
        set(person, before("TOP_UP_SUCCEEDED")).await;
    }
    // The preference changed.
    app.top_up(5).await;
    app.evaluate().await;
    let off = json!({ "preferences": [{ "kind": "TOP_UP_SUCCEEDED", "channel": "EMAIL", "enabled": false }] });
    set(olga, off).await;
    assert_eq!(told(&app).await.len(), 1);
    assert_suppressed(&app, olga, "TOP_UP_SUCCEEDED", "PREFERENCE_OFF").await;
    // The address changed.
    set(olga, before("TOP_UP_SUCCEEDED")).await;
    app.advance(Duration::from_hours(25));
    app.top_up(5).await;
    app.evaluate().await;
    change_address(&olga.client, &json!(olga.id()), "someone@strangers.example").await;
    assert_eq!(told(&app).await.len(), 2);
    assert_suppressed(&app, olga, "TOP_UP_SUCCEEDED", "CONTACT_UNVERIFIED").await;
    // The role changed.
    app.advance(Duration::from_hours(25));
    app.top_up(5).await;
    app.evaluate().await;
    let demoted = json!({ "memberId": adam.id(), "role": "MEMBER" });
    olga.client.mutate("updateMember", "member { role }", demoted).await;
    assert_eq!(told(&app).await.len(), 2);
    assert_suppressed(&app, adam, "TOP_UP_SUCCEEDED", "NOT_A_RECIPIENT").await;
    // The membership ended. It concerns mail to unverified addresses too.
    test_by_mail(&olga.client, json!({ "memberId": adam.id(), "channel": "EMAIL" })).await;
    olga.client
        .mutate("removeMember", "member { id }", json!({ "memberId": adam.id() }))
        .await;
    assert_eq!(told(&app).await.len(), 2);
    assert_suppressed(&app, adam, "TEST", "NOT_A_RECIPIENT").await;
}

#[tokio::test]
async fn tests_are_bounded_for_a_member_and_for_an_account_by_every_channel() {
    let app = TestApp::start().await;
    let mia = &app.team.member;
    let test =
        async |person: &Person| code(&test_by_mail(&person.client, json!({ "channel": "IN_APP" })).await).to_owned();
    for _ in 0..10 {
        assert_eq!(test(mia).await, "accepted");
    }
    let refused = mia
        .client
        .mutate(
            "sendTestNotification",
            "alert { id } userErrors { retryAfterSeconds }",
            json!({ "channel": "EMAIL" }),
        )
        .await;
    assert_eq!(code(&refused), "RATE_LIMITED");
    assert_eq!(refused["userErrors"][0]["retryAfterSeconds"], 3_600);
    assert_eq!(super::kinds(mia).await.len(), 10, "what is refused raises no alert");
    assert_eq!(test(&app.team.owner).await, "accepted", "another member");
    app.advance(Duration::from_hours(1));
    assert_eq!(test(mia).await, "accepted", "an hour later");

    // The account's limit: a key tests members one after the other.
    let key = app
        .platform_key(&[Permission::ManageMembers, Permission::ManageSettings])
        .await;
    let mut taken = 0;
    for number in 0..12 {
        let id = add(&app, &key, "Guest", &format!("g{number}@team.example")).await;
        for _ in 0..6 {
            let input = json!({ "memberId": id, "channel": "IN_APP" });
            let answer = test_by_mail(&key, input).await;
            taken += usize::from(code(&answer) == "accepted");
        }
    }
    assert_eq!(taken, 59, "sixty an hour for the account, and Mia had one");
}

#[tokio::test]
async fn mail_to_an_unverified_address_names_nobody_and_nothing() {
    let app = TestApp::start().await;
    let (olga, mia) = (&app.team.owner, &app.team.member);
    let hostile = "Zorgblat wants you at zorgblat.example";
    for person in [olga, mia] {
        let renamed = json!({ "memberId": person.id(), "name": hostile });
        let renamed = app.platform.mutate("updateMember", "member { name }", renamed).await;
        assert_eq!(code(&renamed), "accepted", "{renamed}");
    }
    let renamed = json!({ "accountId": app.team.id(), "name": hostile });
    let renamed = app.platform.mutate("updateAccount", "account { name }", renamed).await;
    assert_eq!(code(&renamed), "accepted", "{renamed}");
    app.top_up(10).await;
    app.evaluate().await;
    adjust(&app, "-12").await;
    let freeze = json!({ "accountId": app.team.id(), "reason": "Zorgblat said so" });
    app.platform.mutate("freezeAccount", "account { status }", freeze).await;
    app.evaluate().await;
    test_by_mail(&mia.client, json!({ "channel": "EMAIL" })).await;
    send_code(&mia.client, &json!(mia.id())).await;
    let mails = app.mail().await;
    assert_eq!(mails.len(), 6, "{mails:?}");
    for mail in &mails {
        assert!(!mail.to_lowercase().contains("zorgblat"), "{mail}");
        assert!(mail.contains("Hello,"), "{mail}");
    }
    // After the verification, the member is greeted by name.
    app.advance(Duration::from_mins(2));
    verify(&app, mia).await;
    test_by_mail(&mia.client, json!({ "channel": "EMAIL" })).await;
    let mails = app.mail().await;
    assert_eq!(mails.iter().filter(|mail| mail.contains("Zorgblat")).count(), 1);
}

#[tokio::test]
async fn names_and_titles_hold_no_links_and_nothing_invisible() {
    let app = TestApp::start().await;
    let olga = &app.team.owner.client;
    for name in [
        "Win at https://evil.example",
        "www.evil.example",
        "A\u{202E}b",
        "A\u{2028}b",
        "A\u{200B}b",
    ] {
        let add = json!({ "name": name });
        let refused = olga.mutate("addMember", "member { id }", add).await;
        assert_eq!(code(&refused), "VALIDATION", "{name:?}");
        assert_eq!(refused["member"], Value::Null);
        let update = json!({ "memberId": app.team.member.id(), "name": name });
        assert_eq!(
            code(&olga.mutate("updateMember", "member { id }", update).await),
            "VALIDATION"
        );
        let account = json!({ "accountId": app.team.id(), "name": name });
        assert_eq!(
            code(&app.platform.mutate("updateAccount", "account { id }", account).await),
            "VALIDATION"
        );
        let session = with(
            app.booking("1", &format!("book {name:?}"), 1..2),
            json!({ "title": name }),
        );
        let (refused, _) = app.platform.refuse("book_session", session).await;
        assert_eq!(refused, "VALIDATION", "{name:?}");
    }
    let name_of = "query ($id: ID!) { node(id: $id) { ... on Member { name } } }";
    let mia = app.platform.query(name_of, json!({ "id": app.team.member.id() })).await;
    assert_eq!(mia.at("/node/name"), "Mia");
}
