//! The life of API keys: a key has no more permissions than its creator, ends with it, and the team's owners are notified.

use std::time::Duration;

use ledgerbell::graphql::LiveEnd;
use ledgerbell::primitives::actor::{MemberRole, Permission};
use ledgerbell::workers::LivePoll;
use serde_json::{Value, json};

use crate::harness::{Client, TestApp, with};

const CREATE: &str = "apiKey { id name side permissions expiresAt createdBy { kind label member { name } } } secret";
const REVOKE: &str = "apiKey { revokedAt }";

/// A new key, and a client that signs in with it.
struct Made {
    id: Value,
    client: Client,
    payload: Value,
}

/// Creates a key as `maker`. `besides` is merged into the input.
async fn make(maker: &Client, permissions: &[&str], besides: Value) -> Made {
    let input = with(json!({ "name": "Made", "permissions": permissions }), besides);
    let payload = maker.mutate("createApiKey", CREATE, input).await;
    assert_eq!(payload["userErrors"], json!([]), "{payload}");
    Made {
        id: payload["apiKey"]["id"].clone(),
        client: maker.with_credential(payload["secret"].as_str().expect("a secret")),
        payload,
    }
}

async fn revoke(client: &Client, id: &Value) -> Value {
    client.mutate("revokeApiKey", REVOKE, json!({ "apiKeyId": id })).await
}

async fn works(client: &Client) -> bool {
    let answer = client.query("{ viewer { kind } }", json!({})).await;
    if answer.status.as_u16() == 401 {
        assert_eq!(answer.error_code(), "UNAUTHENTICATED");
        return false;
    }
    answer.at("/viewer/kind") == "API_KEY"
}

/// Returns the keys of the team's account as its owner sees them.
async fn listed(app: &TestApp) -> Value {
    let query = "{ account { apiKeys { id name side revokedAt } } }";
    let answer = app.team.owner.client.query(query, json!({})).await;
    answer.at("/account/apiKeys").clone()
}

/// Returns the alerts about keys in a member's inbox, oldest first.
async fn told(client: &Client) -> Vec<String> {
    let query = "{ account { alerts(filter: { kinds: [API_KEY_CHANGED] }) { nodes { title body } } } }";
    let answer = client.query(query, json!({})).await;
    let nodes = answer.at("/account/alerts/nodes").as_array().expect("a list").clone();
    let titles = nodes
        .iter()
        .rev()
        .map(|alert| alert["title"].as_str().expect("a title").to_owned());
    titles.collect()
}

#[tokio::test]
async fn revoking_a_key_revokes_all_that_it_made_and_owners_are_told() {
    let app = TestApp::start().await;
    let lends = ["MANAGE_API_KEYS", "READ_CREDIT_LOG"];
    let root = make(&app.team.admin.client, &lends, json!({})).await;
    let child = make(&root.client, &lends, json!({})).await;
    let grandchild = make(&child.client, &["READ_CREDIT_LOG"], json!({})).await;
    let sibling = make(&app.team.admin.client, &lends, json!({})).await;
    app.evaluate().await;
    assert_eq!(told(&app.team.owner.client).await, ["An API key was created"; 4]);
    assert_eq!(told(&app.team.admin.client).await, [""; 0], "owners only");

    let document = "subscription { accountUpdated(topics: [API_KEYS]) { signal cursor apiKeys { id revokedAt } } }";
    let mut stream = app.subscribe(&app.team.owner.client, document, json!({})).await;
    stream.expect("CAUGHT_UP").await;
    app.advance(Duration::from_mins(1));
    let revoked = revoke(&app.team.owner.client, &root.id).await;
    assert!(revoked["apiKey"]["revokedAt"].is_string(), "{revoked}");
    for (made, expected) in [(&root, false), (&child, false), (&grandchild, false), (&sibling, true)] {
        assert_eq!(works(&made.client).await, expected, "{}", made.payload);
    }
    let event = stream.expect("ITEM").await;
    let keys = event["apiKeys"].as_array().expect("a list");
    assert_eq!(keys.len(), 3, "{event}");
    assert!(
        keys.iter()
            .all(|key| key["revokedAt"] == revoked["apiKey"]["revokedAt"]),
        "{event}"
    );
    app.advance(Duration::from_mins(1));
    assert_eq!(
        revoke(&app.team.owner.client, &root.id).await,
        revoked,
        "again changes nothing"
    );
    assert!(stream.is_idle().await);
    app.evaluate().await;
    assert_eq!(told(&app.team.owner.client).await[4..], ["An API key was revoked"; 3]);
}

#[tokio::test]
async fn a_key_never_outlives_the_key_that_made_it() {
    let app = TestApp::start().await;
    let lends = ["MANAGE_API_KEYS", "READ_CREDIT_LOG"];
    let ends_at = app.in_minutes(90);
    let root = make(&app.team.owner.client, &lends, json!({ "expiresAt": ends_at })).await;
    let before = listed(&app).await;
    let later = json!({ "name": "Late", "permissions": ["READ_CREDIT_LOG"], "expiresAt": app.in_minutes(91) });
    let refused = root.client.mutate("createApiKey", CREATE, later).await;
    let error = &refused["userErrors"][0];
    assert_eq!(
        (&error["code"], &error["field"]),
        (&json!("VALIDATION"), &json!(["expiresAt"])),
        "{refused}"
    );
    assert_eq!(listed(&app).await, before);
    let child = make(&root.client, &lends, json!({})).await;
    assert_eq!(
        child.payload["apiKey"]["expiresAt"],
        json!(ends_at),
        "that of its maker when left out"
    );
    let sooner = app.in_minutes(30);
    let short = make(&child.client, &["READ_CREDIT_LOG"], json!({ "expiresAt": sooner })).await;
    assert_eq!(short.payload["apiKey"]["expiresAt"], json!(sooner));
    app.advance(Duration::from_mins(90));
    assert!(!works(&child.client).await);
}

#[tokio::test]
async fn keys_end_with_the_member_who_made_them_and_do_not_come_back() {
    let app = TestApp::start().await;
    let poll = LivePoll::new(app.services().clone());
    let lends = ["MANAGE_API_KEYS", "READ_CREDIT_LOG"];
    let root = make(&app.team.admin.client, &lends, json!({})).await;
    let child = make(&root.client, &lends, json!({})).await;
    let others = make(&app.team.owner.client, &lends, json!({})).await;
    let document = "subscription { balanceChanged { signal cursor } }";
    let mut open = app.subscribe(&child.client, document, json!({})).await;
    open.expect("CAUGHT_UP").await;
    let removed = app
        .team
        .owner
        .client
        .mutate("removeMember", "", json!({ "memberId": app.team.admin.id() }))
        .await;
    assert_eq!(removed["userErrors"], json!([]));
    assert!(!works(&root.client).await && !works(&child.client).await && works(&others.client).await);
    poll.turn().await.expect("polls");
    let ended = open.next_or_end().await.err();
    assert!(matches!(ended, Some(LiveEnd::Revoked)), "{ended:?}");
    app.evaluate().await;
    let told = told(&app.team.owner.client).await;
    assert_eq!(
        told.iter()
            .filter(|title| title.as_str() == "An API key was revoked")
            .count(),
        2,
        "{told:?}"
    );
    let back = json!({ "accountId": app.team.id(), "externalId": "adam", "name": "Adam", "role": "ADMIN" });
    let back = app.platform.mutate("upsertMember", "member { id }", back).await;
    assert_eq!(back["member"]["id"], json!(app.team.admin.id()), "{back}");
    assert!(!works(&root.client).await);
}

#[tokio::test]
async fn a_demoted_member_takes_back_what_they_may_no_longer_lend() {
    let app = TestApp::start().await;
    let permissions = ["READ_OWN_USAGE", "MANAGE_API_KEYS", "READ_CREDIT_LOG"];
    let root = make(&app.team.admin.client, &permissions, json!({})).await;
    let child = make(&root.client, &["READ_OWN_USAGE", "READ_CREDIT_LOG"], json!({})).await;
    let powerless = make(
        &app.team.admin.client,
        &["MANAGE_SETTINGS", "MANAGE_API_KEYS"],
        json!({}),
    )
    .await;
    let reader = make(&root.client, &["READ_CREDIT_LOG"], json!({})).await;
    let below = make(&powerless.client, &["MANAGE_SETTINGS"], json!({})).await;
    let set_role = async |role: MemberRole| {
        let input = json!({ "memberId": app.team.admin.id(), "role": role.as_str() });
        let updated = app.team.owner.client.mutate("updateMember", "", input).await;
        assert_eq!(updated["userErrors"], json!([]));
    };
    let log = "{ account { creditLog { nodes { id } } } }";
    assert_eq!(
        child.client.query(log, json!({})).await.at("/account/creditLog/nodes"),
        &json!([])
    );
    set_role(MemberRole::Member).await;
    for made in [&root, &child] {
        assert!(works(&made.client).await);
        assert_eq!(made.client.query(log, json!({})).await.error_code(), "FORBIDDEN");
        let refused = made
            .client
            .mutate(
                "createApiKey",
                CREATE,
                json!({ "name": "More", "permissions": ["READ_OWN_USAGE"] }),
            )
            .await;
        assert_eq!(refused["userErrors"][0]["code"], "FORBIDDEN", "{refused}");
    }
    for made in [&powerless, &below, &reader] {
        assert!(!works(&made.client).await, "nothing is left of it: {}", made.payload);
    }
    // The permission is granted again only by creating a key.
    set_role(MemberRole::Admin).await;
    assert_eq!(child.client.query(log, json!({})).await.error_code(), "FORBIDDEN");
}

#[tokio::test]
async fn the_team_neither_sees_nor_revokes_keys_of_the_platform() {
    let app = TestApp::start().await;
    let own = json!({ "accountId": app.team.id() });
    let platforms = make(&app.platform, &["BOOK_SESSIONS", "READ_OWN_USAGE"], own.clone()).await;
    let mut for_team = own;
    for_team["side"] = json!("TEAM");
    for_team["name"] = json!("For you");
    let teams = make(&app.platform, &["READ_CREDIT_LOG"], for_team).await;
    let names: Vec<Value> = listed(&app)
        .await
        .as_array()
        .expect("a list")
        .iter()
        .map(|key| key["name"].clone())
        .collect();
    assert_eq!(names, ["For you"]);
    let query = "query ($id: ID) { account(id: $id) { apiKeys { id } } }";
    let all = app.platform.query(query, json!({ "id": app.team.id() })).await;
    assert_eq!(
        all.at("/account/apiKeys").as_array().map(Vec::len),
        Some(2),
        "the platform sees both"
    );
    let team_key = app.team_key(&[Permission::ManageApiKeys]).await;
    let node = "query ($id: ID!) { node(id: $id) { id } }";
    for client in [&app.team.owner.client, &team_key] {
        assert_eq!(
            client.query(node, json!({ "id": platforms.id })).await.at("/node"),
            &Value::Null
        );
        let refused = revoke(client, &platforms.id).await;
        assert_eq!(refused["userErrors"][0]["code"], "NOT_FOUND", "{refused}");
    }
    assert!(works(&platforms.client).await);
    app.advance(Duration::from_mins(1));
    assert_eq!(revoke(&app.team.owner.client, &teams.id).await["userErrors"], json!([]));
    assert!(!works(&teams.client).await);
    app.evaluate().await;
    let expected = [
        "An API key was created",
        "An API key was created",
        "An API key was revoked",
    ];
    assert_eq!(told(&app.team.owner.client).await, expected, "keys of the team only");
}

#[tokio::test]
async fn what_a_key_of_the_platform_made_in_several_accounts_ends_with_it_and_each_is_told() {
    let app = TestApp::start().await;
    let other = app.another_team("other").await;
    let maker = make(&app.platform, &["MANAGE_API_KEYS", "READ_CREDIT_LOG"], json!({})).await;
    let mut made = Vec::new();
    for account in [app.team.id(), other.id()] {
        let of = json!({ "accountId": account, "side": "TEAM" });
        made.push(make(&maker.client, &["READ_CREDIT_LOG"], of).await);
    }
    app.advance(Duration::from_mins(1));
    assert_eq!(revoke(&app.platform, &maker.id).await["userErrors"], json!([]));
    app.evaluate().await;
    for (made, owner) in made.iter().zip([&app.team.owner.client, &other.owner.client]) {
        assert!(!works(&made.client).await);
        assert_eq!(told(owner).await, ["An API key was created", "An API key was revoked"]);
    }
}

#[tokio::test]
async fn a_key_says_who_made_it() {
    let app = TestApp::start().await;
    let lends = ["MANAGE_API_KEYS", "READ_CREDIT_LOG"];
    let root = make(&app.team.owner.client, &lends, json!({ "name": "Root" })).await;
    let by = |made: &Made| made.payload["apiKey"]["createdBy"].clone();
    assert_eq!(
        by(&root),
        json!({ "kind": "MEMBER", "label": "Olga", "member": { "name": "Olga" } })
    );
    let child = make(&root.client, &["READ_CREDIT_LOG"], json!({})).await;
    assert_eq!(
        by(&child),
        json!({ "kind": "API_KEY", "label": "Root", "member": null })
    );
    // The same as the command line does.
    app.key(&[Permission::ReadCreditLog]).await;
    let query = "query ($id: ID) { account(id: $id) { apiKeys { name createdBy { kind label } } } }";
    let listed = app.platform.query(query, json!({ "id": app.team.id() })).await;
    let keys = listed.at("/account/apiKeys").as_array().expect("a list");
    let newest = &keys.iter().find(|key| key["name"] == "Test").expect("the key")["createdBy"];
    assert_eq!(newest, &json!({ "kind": "SYSTEM", "label": "Ledgerbell" }));
}

#[tokio::test]
async fn no_key_and_no_member_is_called_what_only_looks_like_ledgerbell() {
    let app = TestApp::start().await;
    let before = listed(&app).await;
    for name in [
        "Payment gateway",
        "payment GATEWAY ",
        "LedgerbeII",
        "L\u{435}dgerbell",
        "Ledger bell",
    ] {
        let owner = &app.team.owner.client;
        for refused in [
            owner
                .mutate(
                    "createApiKey",
                    CREATE,
                    json!({ "name": name, "permissions": ["READ_CREDIT_LOG"] }),
                )
                .await,
            owner
                .mutate("addMember", "", json!({ "name": name, "role": "MEMBER" }))
                .await,
            owner
                .mutate(
                    "updateMember",
                    "",
                    json!({ "memberId": app.team.member.id(), "name": name }),
                )
                .await,
        ] {
            let error = &refused["userErrors"][0];
            assert_eq!(
                (&error["code"], &error["field"]),
                (&json!("VALIDATION"), &json!(["name"])),
                "{name}: {refused}"
            );
        }
    }
    assert_eq!(listed(&app).await, before);
    let names = app
        .team
        .owner
        .client
        .query("{ account { members { nodes { name } } } }", json!({}))
        .await;
    let nodes = names.at("/account/members/nodes").as_array().expect("a list");
    // Members who joined within one millisecond come in any order.
    let mut names: Vec<&str> = nodes.iter().filter_map(|node| node["name"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["Adam", "Mia", "Olga"]);
}
