//! The notification settings of members.

use ledgerbell::primitives::actor::Permission;
use serde_json::{Value, json};

use super::code;
use crate::harness::{Client, Person, TestApp};

const FIELDS: &str = "notificationSettings { id version lowBalanceThreshold quietHours { start end }
    preferences { kind channel enabled locked isDefault label } member { name } }";

async fn update(client: &Client, input: Value) -> Value {
    client.mutate("updateNotificationSettings", FIELDS, input).await
}

async fn settings_of(client: &Client, person: &Person) -> Value {
    let query =
        "query ($id: ID!) { node(id: $id) { ... on Member { notificationSettings { id version lowBalanceThreshold
        quietHours { start end } preferences { kind channel enabled locked isDefault label } } } } }";
    let answer = client.query(query, json!({ "id": person.id() })).await;
    answer.at("/node/notificationSettings").clone()
}

fn preference<'a>(settings: &'a Value, kind: &str, channel: &str) -> &'a Value {
    let preferences = settings["preferences"].as_array().expect("a list");
    let mut found = preferences
        .iter()
        .filter(|one| one["kind"] == kind && one["channel"] == channel);
    found.next().expect("one for each kind and channel")
}

#[tokio::test]
async fn a_member_begins_with_the_defaults_and_what_is_said_stays_until_it_is_reset() {
    let app = TestApp::start().await;
    let mia = &app.team.member;
    let begun = settings_of(&mia.client, mia).await;
    assert_eq!((&begun["version"], &begun["quietHours"]), (&json!(1), &Value::Null));
    assert_eq!(begun["preferences"].as_array().map(Vec::len), Some(20 * 2));
    let depleted = preference(&begun, "BALANCE_DEPLETED", "EMAIL");
    assert_eq!(
        (&depleted["enabled"], &depleted["locked"], &depleted["isDefault"]),
        (&json!(true), &json!(true), &json!(true))
    );
    assert_eq!(depleted["label"], "Out of credits by e-mail");
    let of_session = preference(&begun, "SESSION_CHARGED", "EMAIL");
    assert_eq!(
        (&of_session["enabled"], &of_session["locked"]),
        (&json!(false), &json!(false))
    );

    let on = json!({ "kind": "SESSION_CHARGED", "channel": "EMAIL", "enabled": true });
    let input = json!({ "preferences": [on], "lowBalanceThreshold": "12.5", "quietHours": { "start": "22:00", "end": "07:00" } });
    let changed = update(&mia.client, input.clone()).await;
    assert_eq!(code(&changed), "accepted", "{changed}");
    let settings = &changed["notificationSettings"];
    assert_eq!(settings["version"], 2);
    assert_eq!(settings["lowBalanceThreshold"], "12.5");
    assert_eq!(settings["quietHours"], json!({ "start": "22:00", "end": "07:00" }));
    assert_eq!(preference(settings, "SESSION_CHARGED", "EMAIL")["enabled"], true);
    assert_eq!(preference(settings, "SESSION_CHARGED", "IN_APP")["isDefault"], true);
    let again = update(&mia.client, input).await;
    assert_eq!(
        again["notificationSettings"]["version"], 2,
        "the same again changes nothing"
    );

    // An absent field keeps its value; null clears it.
    let back = json!({ "preferences": [{ "kind": "SESSION_CHARGED", "channel": "EMAIL", "enabled": null }], "quietHours": null });
    let reset = update(&mia.client, back).await;
    let settings = &reset["notificationSettings"];
    assert_eq!(
        (&settings["quietHours"], &settings["lowBalanceThreshold"]),
        (&Value::Null, &json!("12.5"))
    );
    assert_eq!(preference(settings, "SESSION_CHARGED", "EMAIL")["isDefault"], true);
    let cleared = update(&mia.client, json!({ "lowBalanceThreshold": null })).await;
    assert_eq!(cleared["notificationSettings"]["lowBalanceThreshold"], Value::Null);
    let node = json!({ "id": begun["id"] });
    let node = mia.client.query(
        "query ($id: ID!) { node(id: $id) { ... on NotificationSettings { version } } }",
        node,
    );
    assert_eq!(node.await.at("/node/version"), &json!(4));
}

#[tokio::test]
async fn f59_what_is_locked_is_refused_and_nothing_of_that_change_is_kept() {
    let app = TestApp::start().await;
    let olga = &app.team.owner;
    let before = settings_of(&olga.client, olga).await;
    let off = |kind: &str, channel: &str| json!({ "kind": kind, "channel": channel, "enabled": false });
    for (kind, channel) in [
        ("BALANCE_DEPLETED", "EMAIL"),
        ("BALANCE_DEPLETED", "IN_APP"),
        ("TOP_UP_FAILED", "EMAIL"),
        ("CONTACT_BOUNCING", "IN_APP"),
    ] {
        let input =
            json!({ "preferences": [off("LOW_BALANCE", "EMAIL"), off(kind, channel)], "lowBalanceThreshold": "5" });
        let refused = update(&olga.client, input).await;
        assert_eq!(code(&refused), "PREFERENCE_LOCKED", "{refused}");
        assert_eq!(
            refused["userErrors"][0]["field"],
            json!(["preferences", "1", "enabled"])
        );
        assert!(refused["notificationSettings"].is_null());
    }
    assert_eq!(settings_of(&olga.client, olga).await, before);
    let free = json!({ "preferences": [off("LOW_BALANCE", "EMAIL"), off("CONTACT_BOUNCING", "EMAIL")] });
    assert_eq!(code(&update(&olga.client, free).await), "accepted");
}

#[tokio::test]
async fn bad_settings_are_refused_by_field_and_change_nothing() {
    let app = TestApp::start().await;
    let mia = &app.team.member;
    let before = settings_of(&mia.client, mia).await;
    let low = json!({ "kind": "LOW_BALANCE", "channel": "EMAIL", "enabled": true });
    for (input, field) in [
        (json!({ "lowBalanceThreshold": "-1" }), "lowBalanceThreshold"),
        (
            json!({ "quietHours": { "start": "08:00", "end": "08:00" } }),
            "quietHours",
        ),
        (json!({ "preferences": null }), "preferences"),
        (json!({ "preferences": [low, low] }), "preferences"),
    ] {
        let refused = update(&mia.client, input).await;
        assert_eq!(
            (code(&refused), &refused["userErrors"][0]["field"][0]),
            ("VALIDATION", &json!(field))
        );
    }
    let query = "mutation { updateNotificationSettings(input: { quietHours: { start: \"25:00\", end: \"07:00\" } })
        { userErrors { code } } }";
    let answer = mia.client.query(query, json!({})).await;
    assert!(
        answer.body["errors"][0]["message"]
            .as_str()
            .is_some_and(|text| text.contains("22:00"))
    );
    assert_eq!(settings_of(&mia.client, mia).await, before);
}

#[tokio::test]
async fn of_two_who_change_the_same_version_one_is_told_what_it_is_now() {
    let app = TestApp::start().await;
    let mia = &app.team.member;
    let first = update(&mia.client, json!({ "lowBalanceThreshold": "1", "expectedVersion": 1 })).await;
    assert_eq!(code(&first), "accepted");
    let second = update(&mia.client, json!({ "lowBalanceThreshold": "2", "expectedVersion": 1 })).await;
    assert_eq!(code(&second), "VERSION_CONFLICT");
    assert_eq!(second["notificationSettings"]["lowBalanceThreshold"], "1");
}

#[tokio::test]
async fn settings_are_changed_by_the_member_an_admin_or_a_key_that_may() {
    let app = TestApp::start().await;
    let other = app.another_team("other").await;
    let mia = &app.team.member;
    let input = json!({ "memberId": mia.id(), "lowBalanceThreshold": "3" });
    let key = app.key(&[Permission::ManageSettings, Permission::ReadCreditLog]).await;
    for may in [
        &mia.client,
        &app.team.admin.client,
        &app.team.owner.client,
        &key,
        &app.platform,
    ] {
        assert_eq!(code(&update(may, input.clone()).await), "accepted");
        assert_eq!(settings_of(may, mia).await["lowBalanceThreshold"], "3");
    }
    let before = settings_of(&mia.client, mia).await;
    let change = json!({ "memberId": mia.id(), "lowBalanceThreshold": "4" });
    let reader = app.key(&[Permission::ReadCreditLog]).await;
    assert_eq!(code(&update(&reader, change.clone()).await), "FORBIDDEN");
    assert_eq!(code(&update(&other.owner.client, change).await), "NOT_FOUND");
    let of_owner = json!({ "memberId": app.team.owner.id(), "lowBalanceThreshold": "4" });
    assert_eq!(code(&update(&mia.client, of_owner).await), "FORBIDDEN");
    assert_eq!(
        code(&update(&key, json!({ "lowBalanceThreshold": "4" })).await),
        "VALIDATION"
    );
    assert_eq!(settings_of(&mia.client, mia).await, before);
    let query = "query ($id: ID!) { node(id: $id) { ... on Member { name notificationSettings { version } } } }";
    let answer = reader.query(query, json!({ "id": mia.id() })).await;
    let node = json!({ "name": "Mia", "notificationSettings": null });
    assert_eq!(answer.at("/node"), &node, "null without an error");
}
