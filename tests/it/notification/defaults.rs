//! Notifications of members without their own settings, and changes of the settings of several members at once.

use ledgerbell::primitives::actor::Permission;
use serde_json::{Value, json};

use super::{adjust, code, complete, mail_of, set, verify};
use crate::harness::{Client, Person, TestApp, with};

fn cell(kind: &str, enabled: impl Into<Value>) -> Value {
    json!({ "kind": kind, "channel": "EMAIL", "enabled": enabled.into() })
}

async fn default(client: &Client, app: &TestApp, cells: Value) -> Value {
    let input = json!({ "accountId": app.team.id(), "preferences": cells });
    client
        .mutate("updateNotificationDefaults", "notificationDefaults { version }", input)
        .await
}

/// Returns a cell of a member's settings by e-mail: whether it is enabled, and the origin of that value.
async fn seen(person: &Person, kind: &str) -> Value {
    let query = "{ viewer { member { notificationSettings { preferences { kind channel enabled locked isDefault source } } } } }";
    let answer = person.client.query(query, json!({})).await;
    let cells = answer.at("/viewer/member/notificationSettings/preferences").clone();
    let cells = cells.as_array().expect("a list").iter();
    let mut found = cells.filter(|cell| cell["kind"] == kind && cell["channel"] == "EMAIL");
    let cell = found.next().expect("a cell");
    json!([cell["enabled"], cell["source"], cell["isDefault"]])
}

/// Returns the version of each member's settings and of the account's defaults, and the position in the stream.
async fn snapshot(app: &TestApp) -> Value {
    let query = "query ($id: ID) { account(id: $id) { liveCursor notificationDefaults { version preferences { enabled source } }
        members { nodes { notificationSettings { version preferences { enabled source } } } } } }";
    let answer = app.platform.query(query, json!({ "id": app.team.id() })).await;
    answer.at("/account").clone()
}

#[tokio::test]
async fn what_a_member_does_not_say_the_account_says_and_else_the_platform() {
    let app = TestApp::start().await;
    let (olga, adam) = (&app.team.owner, &app.team.admin);
    verify(&app, olga).await;
    set(olga, json!({ "lowBalanceThreshold": "40" })).await;
    app.top_up(100).await;
    app.evaluate().await;
    assert_eq!(seen(olga, "LOW_BALANCE").await, json!([true, "PLATFORM", true]));

    let off = default(&adam.client, &app, json!([cell("LOW_BALANCE", false)])).await;
    assert_eq!(off["notificationDefaults"]["version"], 2, "{off}");
    assert_eq!(seen(olga, "LOW_BALANCE").await, json!([false, "ACCOUNT", true]));
    adjust(&app, "-70").await;
    assert_eq!(
        mail_of(&app, olga, "LOW_BALANCE").await,
        (json!("SUPPRESSED"), json!("PREFERENCE_OFF"))
    );

    set(olga, json!({ "preferences": [cell("LOW_BALANCE", true)] })).await;
    assert_eq!(seen(olga, "LOW_BALANCE").await, json!([true, "MEMBER", false]));
    adjust(&app, "70").await;
    adjust(&app, "-70").await;
    // The decision at the time of queueing is made again at the time of sending.
    assert_eq!(mail_of(&app, olga, "LOW_BALANCE").await, (json!("QUEUED"), Value::Null));
    set(olga, json!({ "preferences": [cell("LOW_BALANCE", Value::Null)] })).await;
    assert_eq!(seen(olga, "LOW_BALANCE").await, json!([false, "ACCOUNT", true]));
    assert_eq!(app.mail().await.len(), 0);
    assert_eq!(
        mail_of(&app, olga, "LOW_BALANCE").await,
        (json!("SUPPRESSED"), json!("PREFERENCE_OFF"))
    );

    let reset = default(&adam.client, &app, json!([cell("LOW_BALANCE", Value::Null)])).await;
    assert_eq!(reset["notificationDefaults"]["version"], 3, "{reset}");
    assert_eq!(seen(olga, "LOW_BALANCE").await, json!([true, "PLATFORM", true]));
    adjust(&app, "70").await;
    adjust(&app, "-70").await;
    assert_eq!(app.mail().await.len(), 1);
}

#[tokio::test]
async fn an_account_has_its_members_mailed_who_have_said_nothing() {
    let app = TestApp::start().await;
    let (olga, mia) = (&app.team.owner, &app.team.member);
    app.top_up(50).await;
    let on = default(&olga.client, &app, json!([cell("SESSION_CHARGED", true)])).await;
    assert_eq!(code(&on), "accepted", "{on}");
    assert_eq!(seen(mia, "SESSION_CHARGED").await, json!([true, "ACCOUNT", true]));
    // Her address is not verified, and now a finding reports it.
    let codes = crate::troubleshooting::codes(&app).await;
    let contacts = codes.iter().filter(|code| *code == "CONTACT_UNVERIFIED");
    assert_eq!(contacts.count(), 3, "{codes:?}");
    verify(&app, mia).await;
    complete(&app, &app.team, "lesson").await;
    app.evaluate().await;
    let mails = app.mail().await;
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert!(mails[0].contains("mia@team.example"), "{}", mails[0]);
}

#[tokio::test]
async fn defaults_are_changed_by_those_who_manage_settings_and_what_is_locked_stays_so() {
    let app = TestApp::start().await;
    let other = app.another_team("other").await;
    let (olga, adam, mia) = (&app.team.owner, &app.team.admin, &app.team.member);
    let reader = app.key(&[Permission::ReadCreditLog]).await;
    let key = app.team_key(&[Permission::ManageSettings]).await;
    let before = snapshot(&app).await;
    let refused = |payload: &Value, code: &str, field: Value| {
        let error = &payload["userErrors"][0];
        assert_eq!((&error["code"], &error["field"]), (&json!(code), &field), "{payload}");
    };
    let low = || json!([cell("LOW_BALANCE", false)]);
    refused(&default(&mia.client, &app, low()).await, "FORBIDDEN", Value::Null);
    refused(&default(&reader, &app, low()).await, "FORBIDDEN", Value::Null);
    let of_others = default(&other.owner.client, &app, low()).await;
    refused(&of_others, "NOT_FOUND", json!(["accountId"]));
    let locked = json!([cell("LOW_BALANCE", false), cell("BALANCE_DEPLETED", false)]);
    let locked = default(&olga.client, &app, locked).await;
    refused(&locked, "PREFERENCE_LOCKED", json!(["preferences", "1", "enabled"]));
    let twice = json!([cell("LOW_BALANCE", false), cell("LOW_BALANCE", true)]);
    refused(
        &default(&olga.client, &app, twice).await,
        "VALIDATION",
        json!(["preferences"]),
    );
    // Only owners and the platform can change alerts that only owners receive.
    for client in [&adam.client, &key] {
        let keys = default(client, &app, json!([cell("API_KEY_CHANGED", false)])).await;
        refused(&keys, "FORBIDDEN", Value::Null);
    }
    assert_eq!(snapshot(&app).await, before);

    assert_eq!(code(&default(&key, &app, low()).await), "accepted");
    let changed = snapshot(&app).await;
    assert_ne!(changed["liveCursor"], before["liveCursor"], "it is told");
    assert_eq!(code(&default(&adam.client, &app, low()).await), "accepted");
    assert_eq!(snapshot(&app).await, changed, "the same again changes nothing");
    let late = json!({ "accountId": app.team.id(), "preferences": [], "expectedVersion": 1 });
    let fields = "notificationDefaults { version }";
    let late = olga.client.mutate("updateNotificationDefaults", fields, late).await;
    assert_eq!(
        (code(&late), &late["notificationDefaults"]["version"]),
        ("VERSION_CONFLICT", &json!(2))
    );
    let owners = default(&olga.client, &app, json!([cell("API_KEY_CHANGED", false)])).await;
    assert_eq!(code(&owners), "accepted", "{owners}");
    let query = "{ account { notificationDefaults { account { id } rows { kind title cells { channel enabled locked source } } } } }";
    let answer = olga.client.query(query, json!({})).await;
    assert_eq!(
        answer.at("/account/notificationDefaults/account/id"),
        &json!(app.team.id())
    );
    let rows = answer
        .at("/account/notificationDefaults/rows")
        .as_array()
        .expect("a list")
        .clone();
    let low = rows.iter().find(|row| row["kind"] == "LOW_BALANCE").expect("a row");
    assert_eq!(
        low["cells"],
        json!([{ "channel": "EMAIL", "enabled": false, "locked": false, "source": "ACCOUNT" },
            { "channel": "IN_APP", "enabled": true, "locked": false, "source": "PLATFORM" }])
    );
    assert_eq!(answer.at("/account/notificationDefaults/rows/0/kind"), "LOW_BALANCE");
}

#[tokio::test]
async fn settings_of_several_members_change_together_or_not_at_all() {
    let app = TestApp::start().await;
    let other = app.another_team("other").await;
    let (olga, adam, mia) = (&app.team.owner, &app.team.admin, &app.team.member);
    let change = async |client: &Client, members: Value, more: Value| {
        let input = json!({ "memberIds": members, "preferences": [cell("CREDITS_EXPIRING", false)],
            "quietHours": { "start": "21:30", "end": "06:15" } });
        let input = with(input, more);
        let fields =
            "notificationSettings { member { id } } allNotificationSettings { member { name } quietHours { start end }
            preferences { kind channel enabled } }";
        client.mutate("updateNotificationSettings", fields, input).await
    };
    let before = snapshot(&app).await;
    let refusals = [
        (
            &adam.client,
            json!([mia.id(), olga.id()]),
            json!({}),
            "FORBIDDEN",
            json!(["memberIds", "1"]),
        ),
        (
            &mia.client,
            json!([mia.id(), adam.id()]),
            json!({}),
            "FORBIDDEN",
            json!(["memberIds", "1"]),
        ),
        (
            &olga.client,
            json!([mia.id(), other.member.id()]),
            json!({}),
            "NOT_FOUND",
            json!(["memberIds", "1"]),
        ),
        (&olga.client, json!([]), json!({}), "VALIDATION", json!(["memberIds"])),
        (
            &olga.client,
            json!([mia.id()]),
            json!({ "memberId": mia.id() }),
            "VALIDATION",
            json!(["memberIds"]),
        ),
        (
            &olga.client,
            json!([mia.id()]),
            json!({ "expectedVersion": 1 }),
            "VALIDATION",
            json!(["expectedVersion"]),
        ),
        (
            &olga.client,
            json!([mia.id(), adam.id()]),
            json!({ "preferences": [cell("TOP_UP_FAILED", false)] }),
            "PREFERENCE_LOCKED",
            json!(["preferences", "0", "enabled"]),
        ),
    ];
    for (client, members, more, expected, field) in refusals {
        let refused = change(client, members, more).await;
        assert_eq!(
            (code(&refused), &refused["userErrors"][0]["field"]),
            (expected, &field),
            "{refused}"
        );
        assert_eq!(refused["allNotificationSettings"], json!([]));
    }
    // The platform's key has access to both accounts; one call cannot change both.
    let both = change(&app.platform, json!([mia.id(), other.member.id()]), json!({})).await;
    assert_eq!(
        (code(&both), &both["userErrors"][0]["field"]),
        ("NOT_FOUND", &json!(["memberIds", "1"]))
    );
    let remove = json!({ "memberId": mia.id() });
    assert_eq!(snapshot(&app).await, before, "nothing has changed");

    let changed = change(&olga.client, json!([mia.id(), olga.id(), adam.id()]), json!({})).await;
    let all = changed["allNotificationSettings"].as_array().expect("a list");
    let names: Vec<&Value> = all.iter().map(|one| &one["member"]["name"]).collect();
    assert_eq!(names, ["Mia", "Olga", "Adam"], "{changed}");
    assert_eq!(changed["notificationSettings"]["member"]["id"], mia.id());
    for one in all {
        assert_eq!(one["quietHours"], json!({ "start": "21:30", "end": "06:15" }));
        let cells = one["preferences"].as_array().expect("a list");
        assert!(cells.contains(&cell("CREDITS_EXPIRING", false)), "{one}");
    }
    assert_eq!(code(&olga.client.mutate("removeMember", "", remove).await), "accepted");
    let gone = change(&olga.client, json!([adam.id(), mia.id()]), json!({ "preferences": [] })).await;
    assert_eq!(
        (code(&gone), &gone["userErrors"][0]["field"]),
        ("MEMBER_REMOVED", &json!(["memberIds", "1"]))
    );
}
