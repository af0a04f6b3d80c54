//! Members sign in by external ids: who sets them, and which forms are allowed.

use ledgerbell::primitives::actor::Permission;
use serde_json::{Value, json};

use super::{claims, code, refusal, sign, signed_in, start};
use crate::harness::{Client, Person, TestApp};

const MEMBER: &str = "member { id name externalId version role }";

async fn people(app: &TestApp) -> Value {
    let query = "query ($id: ID!) { account(id: $id) { externalId version members(includeRemoved: true) { nodes { name externalId
        version role } } } }";
    app.platform
        .query(query, json!({ "id": app.team.id() }))
        .await
        .data()
        .clone()
}

/// Returns the callers of a team who may manage members.
async fn of_team(app: &TestApp) -> Vec<(&'static str, Client)> {
    vec![
        ("an owner", app.team.owner.client.clone()),
        ("an admin", app.team.admin.client.clone()),
        ("a key of the team", app.team_key(&[Permission::ManageMembers]).await),
    ]
}

#[tokio::test]
async fn nobody_of_a_team_swaps_who_signs_in_as_whom() {
    let app = start().await;
    let swap = "mutation ($owner: ID!, $admin: ID!) {
        a: updateMember(input: { memberId: $owner, externalId: \"parked\" }) { userErrors { code field } }
        b: updateMember(input: { memberId: $admin, externalId: \"olga\" }) { userErrors { code field } }
        c: updateMember(input: { memberId: $owner, externalId: \"adam\" }) { userErrors { code field } } }";
    let ids = json!({ "owner": app.team.owner.id(), "admin": app.team.admin.id() });
    let before = people(&app).await;
    for (who, client) in of_team(&app).await {
        let answer = client.query(swap, ids.clone()).await;
        for step in ["/a", "/b", "/c"] {
            let refused = json!([{ "code": "FORBIDDEN", "field": ["externalId"] }]);
            assert_eq!(answer.at(step)["userErrors"], refused, "{step} by {who}");
        }
    }
    assert_eq!(people(&app).await, before);
    let account = json!("team");
    let token = |sub: &str| sign(&claims(&app, &account, &json!(sub)));
    assert_eq!(signed_in(&app, &token("olga")).await, "Olga");
    assert_eq!(signed_in(&app, &token("adam")).await, "Adam");
    // The platform may set it, and then it does so on purpose.
    let key = app.platform_key(&[Permission::ManageMembers]).await;
    let swapped = key.query(swap, ids).await;
    assert_eq!(swapped.at("/c")["userErrors"], json!([]));
    assert_eq!(signed_in(&app, &token("adam")).await, "Olga");
}

#[tokio::test]
async fn a_team_manages_members_without_external_ids() {
    let app = start().await;
    for (who, client) in of_team(&app).await {
        let before = people(&app).await;
        // The third is taken. A caller who may not set external ids cannot find that out.
        for external_id in ["free", "mem_1", "mia"] {
            let new = json!({ "name": "Ben", "externalId": external_id });
            let expected = ("FORBIDDEN", "externalId".to_owned());
            for mutation in ["addMember", "upsertMember"] {
                let refused = client.mutate(mutation, MEMBER, new.clone()).await;
                assert_eq!(refusal(&refused), expected, "{mutation} by {who}");
                assert!(refused["member"].is_null());
            }
            let patch = json!({ "memberId": app.team.member.id(), "externalId": external_id });
            assert_eq!(
                refusal(&client.mutate("updateMember", MEMBER, patch).await),
                expected,
                "{who}"
            );
        }
        assert_eq!(people(&app).await, before, "{who}");
        let added = client.mutate("addMember", MEMBER, json!({ "name": "Ben" })).await;
        assert_eq!(code(&added), "accepted", "{added}");
        let patch = json!({ "memberId": added["member"]["id"], "name": "Benno", "role": "ADMIN" });
        let renamed = client.mutate("updateMember", MEMBER, patch).await;
        assert_eq!(renamed["member"]["name"], "Benno");
        let removed = client
            .mutate("removeMember", MEMBER, json!({ "memberId": added["member"]["id"] }))
            .await;
        assert_eq!(code(&removed), "accepted");
    }
}

/// Returns texts that a reader, or a client that trims, could confuse with an id of this service.
fn ids_and_lookalikes(app: &TestApp) -> Vec<String> {
    let (owner, account) = (app.team.owner.id(), app.team.id());
    let of_kind = |prefix: &str| owner.replace("mem_", prefix);
    let mut shapes = vec![
        owner.to_uppercase(),
        format!(" {owner}"),
        format!("{owner}\u{2003}"),
        account.replace("acct_", "Acct_"),
        account.replace("acct_", "bal_"),
        account.replace("acct_", "atu_"),
    ];
    for prefix in [
        "con_", "ent_", "lot_", "ses_", "top_", "key_", "att_", "pm_", "dec_", "set_", "alr_", "dlv_",
    ] {
        shapes.push(of_kind(prefix));
    }
    shapes.extend([owner, account]);
    shapes
}

#[tokio::test]
async fn an_external_id_with_the_form_of_one_of_our_ids_is_refused_everywhere() {
    let app = start().await;
    app.top_up(40).await;
    let before = people(&app).await;
    let (account, member) = (app.team.id(), app.team.member.id());
    for id in ids_and_lookalikes(&app) {
        let owner = json!({ "name": "X", "externalId": id });
        let new = json!({ "name": "X", "creditPrice": "1", "currency": "EUR" });
        let with = |mut input: Value, field: &str, value: Value| {
            input[field] = value;
            input
        };
        let of_account = json!({ "accountId": account, "name": "X", "externalId": id });
        let book = json!({ "accountId": account, "memberId": member, "externalId": id, "title": "T", "credits": "3",
            "startsAt": app.in_minutes(9), "endsAt": app.in_minutes(19), "idempotencyKey": id.trim() });
        for (mutation, fields, input, field) in [
            (
                "createAccount",
                "account { id }",
                with(new.clone(), "externalId", json!(id)),
                "externalId",
            ),
            (
                "createAccount",
                "account { id }",
                with(new, "owner", owner),
                "owner.externalId",
            ),
            ("updateAccount", "account { id }", of_account.clone(), "externalId"),
            ("addMember", MEMBER, of_account.clone(), "externalId"),
            ("upsertMember", MEMBER, of_account, "externalId"),
            (
                "updateMember",
                MEMBER,
                json!({ "memberId": member, "externalId": id }),
                "externalId",
            ),
            ("bookSession", "session { id }", book, "externalId"),
        ] {
            let refused = app.platform.mutate(mutation, fields, input).await;
            assert_eq!(
                refusal(&refused),
                ("VALIDATION", field.to_owned()),
                "{mutation} with {id:?}: {refused}"
            );
        }
        let found = app.platform.query(
            "query ($id: String!) { account(externalId: $id) { id } }",
            json!({ "id": id }),
        );
        assert!(found.await.at("/account").is_null(), "an id of ours is no external id");
    }
    assert_eq!(people(&app).await, before);
    let held = app
        .team
        .owner
        .client
        .query("{ account { balance { held } } }", json!({}))
        .await;
    assert_eq!(held.at("/account/balance/held"), "0");
    // A text that only begins like one of our ids is allowed.
    for id in ["mem_7", "acct_acme", "ses_2026-03-02"] {
        let added = json!({ "accountId": account, "name": "X", "externalId": id });
        assert_eq!(
            code(&app.platform.mutate("addMember", MEMBER, added).await),
            "accepted",
            "{id}"
        );
    }
}

#[tokio::test]
async fn a_key_of_one_account_neither_probes_nor_takes_external_ids_of_accounts() {
    let app = start().await;
    app.another_team("stranger").await;
    let bound = app.key(&[Permission::ManageAccounts]).await;
    let before = people(&app).await;
    for external_id in ["stranger", "free", "team"] {
        let refused = bound
            .mutate("updateAccount", "account { id }", json!({ "externalId": external_id }))
            .await;
        assert_eq!(
            refusal(&refused),
            ("FORBIDDEN", "externalId".to_owned()),
            "{external_id}: {refused}"
        );
        let found = bound.query(
            "query ($id: String!) { account(externalId: $id) { name } }",
            json!({ "id": external_id }),
        );
        let is_own = external_id == "team";
        assert_eq!(found.await.at("/account").is_null(), !is_own, "{external_id}");
    }
    assert_eq!(people(&app).await, before);
    let renamed = bound
        .mutate("updateAccount", "account { name }", json!({ "name": "Renamed" }))
        .await;
    assert_eq!(renamed["account"]["name"], "Renamed");
    // So what the platform creates is its own, not what a team has placed there.
    let new = json!({ "externalId": "free", "name": "Renamed", "creditPrice": "1", "currency": "EUR" });
    let made = app
        .platform
        .mutate("createAccount", "account { id }", new.clone())
        .await;
    assert_eq!(code(&made), "accepted");
    assert_ne!(made["account"]["id"], json!(app.team.id()));
    let again = app.platform.mutate("createAccount", "account { id }", new).await;
    assert_eq!(
        again["account"]["id"], made["account"]["id"],
        "the platform's own is replayed"
    );
}

#[tokio::test]
async fn without_the_permission_to_settle_or_book_even_an_empty_list_is_refused() {
    let app = TestApp::start().await;
    let reader = app.platform_key(&[Permission::ReadCreditLog]).await;
    let admin = &app.team.admin.client;
    for (mutation, permission) in [
        ("bookSessions", Permission::BookSessions),
        ("completeSessions", Permission::SettleSessions),
    ] {
        let empty = json!({ "accountId": app.team.id(), "items": [] });
        for client in [&reader, admin] {
            let refused = client
                .mutate(mutation, "results { userErrors { code } }", empty.clone())
                .await;
            assert_eq!(code(&refused), "FORBIDDEN", "{mutation}");
        }
        let stranger = app.another_team(&mutation.to_lowercase()).await.id();
        let elsewhere = json!({ "accountId": stranger, "items": [] });
        assert_eq!(
            code(
                &admin
                    .mutate(mutation, "results { userErrors { code } }", elsewhere)
                    .await
            ),
            "NOT_FOUND"
        );
        let allowed = app.platform_key(&[permission]).await;
        let accepted = allowed.mutate(mutation, "results { userErrors { code } }", empty).await;
        assert_eq!(accepted, json!({ "results": [], "userErrors": [] }));
    }
}

#[tokio::test]
async fn contacts_are_read_by_their_owner_and_by_who_manages_settings() {
    let app = TestApp::start().await;
    let mia: &Person = &app.team.member;
    let query = "query ($id: ID!, $contact: ID!) {
        member: node(id: $id) { ... on Member { contact { email } } }
        contact: node(id: $contact) { ... on Contact { email } } }";
    let ids = json!({ "id": mia.id(), "contact": mia.id().replace("mem_", "con_") });
    for permission in [Permission::ManageMembers, Permission::ReadCreditLog] {
        for key in [app.team_key(&[permission]).await, app.platform_key(&[permission]).await] {
            let answer = key.query(query, ids.clone()).await;
            let errors = answer.body["errors"].as_array().expect("errors");
            let codes: Vec<&Value> = errors.iter().map(|error| &error["extensions"]["code"]).collect();
            assert_eq!(codes, ["FORBIDDEN"], "{}: {}", permission.name(), answer.body);
            assert!(answer.body["data"]["member"]["contact"].is_null());
        }
    }
    let manager = app
        .team_key(&[Permission::ManageSettings, Permission::ManageMembers])
        .await;
    for client in [&mia.client, &app.team.admin.client, &manager] {
        let answer = client.query(query, ids.clone()).await;
        let email = json!("mia@team.example");
        assert_eq!(
            (&answer.at("/member/contact")["email"], &answer.at("/contact")["email"]),
            (&email, &email)
        );
    }
}
