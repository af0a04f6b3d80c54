//! Accounts, members and API keys over the API.

use ledgerbell::primitives::actor::Permission;
use serde_json::json;

use crate::harness::{TestApp, code, with};

#[tokio::test]
async fn the_viewer_is_told_who_they_are() {
    let app = TestApp::start().await;
    let query = "{ viewer { kind member { name role } account { name } permissions tokenExpiresAt } }";
    let member = app.team.member.client.query(query, json!({})).await;
    assert_eq!(member.at("/viewer/member"), &json!({ "name": "Mia", "role": "MEMBER" }));
    assert_eq!(member.at("/viewer/permissions"), &json!(["READ_OWN_USAGE"]));
    assert!(member.at("/viewer/tokenExpiresAt").is_string());
    let platform = app.platform.query(query, json!({})).await;
    assert_eq!(platform.at("/viewer/kind"), "API_KEY");
    assert!(platform.at("/viewer/account").is_null());
    assert_eq!(platform.at("/viewer/permissions").as_array().expect("a list").len(), 11);
    let key = app
        .key(&[Permission::ReadCreditLog])
        .await
        .query(query, json!({}))
        .await;
    assert_eq!(key.at("/viewer/account/name"), "The team");
}

#[tokio::test]
async fn accounts_are_made_and_changed_by_the_platform() {
    let app = TestApp::start().await;
    let new = json!({
        "externalId": "acme", "name": "Acme", "creditPrice": "0.125", "currency": "JPY", "timezone": "Asia/Tokyo",
        "owner": { "name": "Aki", "email": "aki@example.com" },
    });
    let fields = "account { id name version status timezone creditPrice { amount currency } balance { available }
        eligibility { canBook canJoin reason } members { nodes { name role contact { email emailStatus } } } }";
    let made = app.platform.mutate("createAccount", fields, new.clone()).await;
    assert_eq!(code(&made), "accepted", "{made}");
    let account = &made["account"];
    assert_eq!(account["creditPrice"], json!({ "amount": "0.125", "currency": "JPY" }));
    assert_eq!(
        account["eligibility"],
        json!({ "canBook": false, "canJoin": false, "reason": "OUT_OF_CREDITS" })
    );
    assert_eq!(account["members"]["nodes"][0]["role"], "OWNER");
    assert_eq!(account["members"]["nodes"][0]["contact"]["emailStatus"], "UNVERIFIED");
    for (what, changes, field) in [
        ("currency", json!({ "currency": "EUR" }), "externalId"),
        (
            "a price below zero",
            json!({ "externalId": "b", "creditPrice": "-1" }),
            "creditPrice",
        ),
        ("no name", json!({ "externalId": "b", "name": "" }), "name"),
        (
            "an address that is none",
            json!({ "externalId": "b", "owner": { "name": "B", "email": "b" } }),
            "owner",
        ),
    ] {
        let input = with(new.clone(), changes);
        let refused = app.platform.mutate("createAccount", "account { id }", input).await;
        assert_eq!(refused["userErrors"][0]["field"][0], field, "{what}: {refused}");
    }
    assert_eq!(
        code(&app.team.owner.client.mutate("createAccount", "", new).await),
        "FORBIDDEN"
    );

    let id = &account["id"];
    let change = json!({ "accountId": id, "expectedVersion": account["version"], "name": "Acme 2" });
    let changed = app
        .platform
        .mutate("updateAccount", "account { name version timezone }", change.clone())
        .await;
    assert_eq!(changed["account"]["name"], "Acme 2");
    assert_eq!(changed["account"]["timezone"], "Asia/Tokyo", "what is left out stays");
    let conflict = app
        .platform
        .mutate("updateAccount", "account { name version }", change)
        .await;
    assert_eq!(code(&conflict), "VERSION_CONFLICT");
    assert_eq!(
        conflict["account"]["version"], changed["account"]["version"],
        "the payload has it as it is now"
    );
    let null = app
        .platform
        .mutate(
            "updateAccount",
            "account { name }",
            json!({ "accountId": id, "name": null }),
        )
        .await;
    assert_eq!(
        (code(&null), &null["userErrors"][0]["field"]),
        ("VALIDATION", &json!(["name"]))
    );
    let nameless = app
        .platform
        .mutate("updateAccount", "account { name }", json!({ "name": "x" }))
        .await;
    assert_eq!(
        nameless["userErrors"][0]["field"],
        json!(["accountId"]),
        "a key of the platform says which"
    );

    let listed = app
        .platform
        .query("{ accounts(search: \"acme\") { nodes { externalId } } }", json!({}))
        .await;
    assert_eq!(listed.at("/accounts/nodes"), &json!([{ "externalId": "acme" }]));
    let answer = app
        .team
        .owner
        .client
        .query("{ accounts { nodes { id } } }", json!({}))
        .await;
    assert_eq!(answer.error_code(), "FORBIDDEN");
}

#[tokio::test]
async fn freezing_stops_what_is_new_and_closing_is_for_ever() {
    let app = TestApp::start().await;
    app.top_up(5).await;
    let id = json!({ "accountId": app.team.id() });
    let with_reason = json!({ "accountId": app.team.id(), "reason": "unpaid" });
    let fields = "account { status frozenReason eligibility { canBook reason } }";
    assert_eq!(
        code(
            &app.team
                .owner
                .client
                .mutate("freezeAccount", fields, with_reason.clone())
                .await
        ),
        "FORBIDDEN"
    );
    let frozen = app.platform.mutate("freezeAccount", fields, with_reason.clone()).await;
    assert_eq!(
        frozen["account"],
        json!({ "status": "FROZEN", "frozenReason": "unpaid", "eligibility": { "canBook": false, "reason": "ACCOUNT_FROZEN" } })
    );
    let grant = json!({ "accountId": app.team.id(), "credits": "1", "description": "sorry", "idempotencyKey": "g" });
    assert_eq!(
        code(&app.platform.mutate("grantCredits", "entry { id }", grant.clone()).await),
        "ACCOUNT_FROZEN"
    );
    let thawed = app.platform.mutate("unfreezeAccount", fields, id).await;
    assert_eq!(thawed["account"]["status"], "ACTIVE");
    assert!(thawed["account"]["frozenReason"].is_null());
    let closed = app.platform.mutate("closeAccount", fields, with_reason).await;
    assert_eq!(closed["account"]["status"], "CLOSED");
    assert_eq!(
        code(&app.platform.mutate("grantCredits", "entry { id }", grant).await),
        "ACCOUNT_CLOSED"
    );
}

#[tokio::test]
async fn members_are_managed_by_admins_and_owners_by_owners() {
    let app = TestApp::start().await;
    let (owner, admin) = (&app.team.owner, &app.team.admin);
    let fields = "member { id name role version externalId contact { email } }";
    let added = admin.client.mutate("addMember", fields, json!({ "name": "Ben" })).await;
    assert_eq!(added["member"]["role"], "MEMBER");
    let known = json!({ "memberId": added["member"]["id"], "externalId": "ben" });
    let known = app.platform.mutate("updateMember", fields, known).await;
    assert_eq!(known["member"]["externalId"], "ben");
    let again = json!({ "accountId": app.team.id(), "externalId": "ben", "name": "Bernd" });
    let taken = app.platform.mutate("addMember", fields, again).await;
    assert_eq!(code(&taken), "EXTERNAL_ID_TAKEN");
    assert_eq!(taken["member"]["name"], "Ben", "the payload has it as it is now");
    let promoted = json!({ "memberId": added["member"]["id"], "role": "OWNER" });
    assert_eq!(
        code(&admin.client.mutate("updateMember", fields, promoted.clone()).await),
        "FORBIDDEN"
    );
    assert_eq!(
        owner.client.mutate("updateMember", fields, promoted).await["member"]["role"],
        "OWNER"
    );
    let upserted =
        json!({ "accountId": app.team.id(), "externalId": "cleo", "name": "Cleo", "email": "cleo@example.com" });
    let cleo = app.platform.mutate("upsertMember", fields, upserted).await;
    assert_eq!(cleo["member"]["contact"]["email"], "cleo@example.com");
    let cleared = app
        .platform
        .mutate(
            "upsertMember",
            fields,
            json!({ "accountId": app.team.id(), "externalId": "cleo", "name": "Cleo", "email": null }),
        )
        .await;
    assert_eq!(cleared["member"]["id"], cleo["member"]["id"]);
    assert!(
        cleared["member"]["contact"]["email"].is_null(),
        "null clears the address"
    );
    let null = admin
        .client
        .mutate(
            "updateMember",
            fields,
            json!({ "memberId": cleo["member"]["id"], "name": null }),
        )
        .await;
    assert_eq!(null["userErrors"][0]["field"], json!(["name"]));
    assert_eq!(
        code(
            &app.team
                .member
                .client
                .mutate("addMember", fields, json!({ "name": "X" }))
                .await
        ),
        "FORBIDDEN"
    );
    let other = app.another_team("other").await;
    let theirs = json!({ "memberId": other.member.id() });
    assert_eq!(
        code(&owner.client.mutate("removeMember", "member { id }", theirs).await),
        "NOT_FOUND"
    );
    let gone = admin
        .client
        .mutate(
            "removeMember",
            "member { removedAt }",
            json!({ "memberId": app.team.member.id() }),
        )
        .await;
    assert!(gone["member"]["removedAt"].is_string());
    assert_eq!(
        app.team
            .member
            .client
            .query("{ viewer { kind } }", json!({}))
            .await
            .error_code(),
        "UNAUTHENTICATED"
    );
    let own = other
        .owner
        .client
        .mutate("removeMember", "member { id }", json!({ "memberId": other.owner.id() }))
        .await;
    assert_eq!(code(&own), "LAST_OWNER");
}

#[tokio::test]
async fn a_key_is_of_the_side_of_its_maker_and_never_has_what_that_side_cannot_have() {
    let app = TestApp::start().await;
    let fields = "apiKey { side permissions account { id } } secret userErrors { code field message }";
    let own = app.team.id();
    let with_keys = [Permission::ManageApiKeys, Permission::BuyCredits];
    let team_key = app.team_key(&with_keys).await;
    for maker in [&app.team.owner.client, &app.team.admin.client, &team_key] {
        let list = "query { account { apiKeys { id } } }";
        let before = maker.query(list, json!({})).await.at("/account/apiKeys").clone();
        for permission in Permission::ALL
            .into_iter()
            .filter(|permission| permission.is_of_platform())
        {
            let new = json!({ "accountId": own, "name": "Greedy", "permissions": ["BUY_CREDITS", permission.name()] });
            let refused = maker.mutate("createApiKey", fields, new).await;
            assert_eq!(code(&refused), "FORBIDDEN", "{refused}");
            let error = &refused["userErrors"][0];
            assert_eq!(error["field"], json!(["permissions"]), "{refused}");
            let reason = format!("a key of side TEAM cannot have the permission {}:", permission.name());
            assert!(
                error["message"].as_str().is_some_and(|text| text.starts_with(&reason)),
                "{refused}"
            );
        }
        let new = json!({ "accountId": own, "name": "Greedy", "side": "PLATFORM", "permissions": ["BUY_CREDITS"] });
        let refused = maker.mutate("createApiKey", fields, new).await;
        assert_eq!(
            (code(&refused), &refused["userErrors"][0]["field"]),
            ("FORBIDDEN", &json!(["side"])),
            "{refused}"
        );
        let after = maker.query(list, json!({})).await.at("/account/apiKeys").clone();
        assert_eq!(before, after, "a refusal makes no key");
        let made = maker
            .mutate(
                "createApiKey",
                fields,
                json!({ "name": "Fair", "permissions": ["BUY_CREDITS"] }),
            )
            .await;
        assert_eq!(made["apiKey"]["side"], "TEAM", "{made}");
    }
    let global = app
        .platform_key(&[Permission::ManageApiKeys, Permission::BookSessions])
        .await;
    let bound = app.key(&[Permission::ManageApiKeys, Permission::BookSessions]).await;
    for maker in [&global, &bound] {
        let new = json!({ "accountId": own, "name": "Booking", "permissions": ["BOOK_SESSIONS"] });
        let made = maker.mutate("createApiKey", fields, new.clone()).await;
        assert_eq!(made["apiKey"]["side"], "PLATFORM", "{made}");
        assert_eq!(made["apiKey"]["account"]["id"], json!(own));
        let mut for_team = new;
        for_team["side"] = json!("TEAM");
        let refused = maker.mutate("createApiKey", fields, for_team.clone()).await;
        assert_eq!(code(&refused), "FORBIDDEN", "{refused}");
        for_team["permissions"] = json!(["MANAGE_API_KEYS"]);
        let made = maker.mutate("createApiKey", fields, for_team).await;
        assert_eq!(made["apiKey"]["side"], "TEAM", "{made}");
    }
    let of_no_team = json!({ "name": "Everywhere", "side": "TEAM", "permissions": ["MANAGE_API_KEYS"] });
    let refused = global.mutate("createApiKey", fields, of_no_team).await;
    assert_eq!(
        (code(&refused), &refused["userErrors"][0]["field"]),
        ("VALIDATION", &json!(["accountId"])),
        "{refused}"
    );
}

#[tokio::test]
async fn a_key_does_what_it_was_made_for_until_it_is_revoked() {
    let app = TestApp::start().await;
    let owner = &app.team.owner.client;
    let fields = "apiKey { id name prefix side permissions account { name } revokedAt } secret";
    let new = json!({ "name": "Buying", "permissions": ["BUY_CREDITS"] });
    let made = owner.mutate("createApiKey", fields, new.clone()).await;
    assert_eq!(
        (&made["apiKey"]["side"], &made["apiKey"]["permissions"]),
        (&json!("TEAM"), &json!(["BUY_CREDITS"]))
    );
    assert_eq!(made["apiKey"]["account"]["name"], "The team");
    let key = app.platform.with_credential(made["secret"].as_str().expect("a secret"));
    assert_eq!(
        key.query("{ viewer { kind } }", json!({})).await.at("/viewer/kind"),
        "API_KEY"
    );
    assert_eq!(
        key.query("{ account { creditLots { nodes { id } } } }", json!({}))
            .await
            .at("/account/creditLots"),
        &json!(null),
        "what it may not see is null"
    );
    let beyond = json!({ "name": "More", "permissions": ["MANAGE_CREDITS"] });
    assert_eq!(code(&owner.mutate("createApiKey", fields, beyond).await), "FORBIDDEN");
    assert_eq!(
        code(&app.team.member.client.mutate("createApiKey", fields, new.clone()).await),
        "FORBIDDEN"
    );
    let listed = owner.query("{ account { apiKeys { name } } }", json!({})).await;
    assert_eq!(listed.at("/account/apiKeys"), &json!([{ "name": "Buying" }]));
    let other = app.another_team("other").await;
    let id = json!({ "apiKeyId": made["apiKey"]["id"] });
    let revoke = "apiKey { revokedAt }";
    assert_eq!(
        code(&other.owner.client.mutate("revokeApiKey", revoke, id.clone()).await),
        "NOT_FOUND"
    );
    assert!(owner.mutate("revokeApiKey", revoke, id.clone()).await["apiKey"]["revokedAt"].is_string());
    assert_eq!(
        code(&owner.mutate("revokeApiKey", revoke, id).await),
        "accepted",
        "again changes nothing"
    );
    assert_eq!(
        key.query("{ viewer { kind } }", json!({})).await.error_code(),
        "UNAUTHENTICATED"
    );
    let of_platform = app.platform.mutate("createApiKey", fields, new).await;
    assert!(
        of_platform["apiKey"]["account"].is_null(),
        "a key of the platform makes another one"
    );
}

#[tokio::test]
async fn an_api_key_acts_on_behalf_of_a_member() {
    let app = TestApp::start().await;
    app.top_up(5).await;
    let book = json!({
        "memberId": app.team.member.id(), "title": "Lesson", "startsAt": app.in_minutes(5), "endsAt": app.in_minutes(50),
        "credits": "1", "idempotencyKey": "a", "actingMemberId": app.team.admin.id(),
    });
    let permissions = [
        Permission::BookSessions,
        Permission::SettleSessions,
        Permission::ReadCreditLog,
    ];
    let key = app.key(&permissions).await;
    let booked = key.mutate("bookSession", "session { id }", book).await;
    let complete = json!({
        "sessionId": booked["session"]["id"], "idempotencyKey": "b", "actingMemberId": app.team.admin.id(),
    });
    let fields = "entry { actor { kind label member { name } } }";
    let completed = key.mutate("completeSession", fields, complete).await;
    assert_eq!(
        completed["entry"]["actor"],
        json!({ "kind": "API_KEY", "label": "Test", "member": { "name": "Adam" } })
    );
}

#[tokio::test]
async fn a_member_who_left_or_never_was_cannot_be_acted_for() {
    let app = TestApp::start().await;
    app.top_up(5).await;
    let key = app.key(&[Permission::BookSessions, Permission::ReadCreditLog]).await;
    let removed = app.team.admin.id();
    app.team
        .owner
        .client
        .mutate("removeMember", "member { id }", json!({ "memberId": removed }))
        .await;
    let stranger = app.another_team("other").await.owner.id();
    for (acting, code) in [(&removed, "MEMBER_REMOVED"), (&stranger, "NOT_FOUND")] {
        let book = json!({
            "memberId": app.team.member.id(), "title": "Lesson", "startsAt": app.in_minutes(5), "endsAt": app.in_minutes(50),
            "credits": "1", "idempotencyKey": "a", "actingMemberId": acting,
        });
        let refused = key.mutate("bookSession", "session { id }", book).await;
        assert_eq!(refused["userErrors"][0]["code"], json!(code), "{refused}");
        assert_eq!(
            refused["userErrors"][0]["field"],
            json!(["actingMemberId"]),
            "{refused}"
        );
        assert_eq!(refused["session"], json!(null));
    }
    let balance = key.query("{ account { balance { held available } } }", json!({})).await;
    assert_eq!(
        balance.at("/account/balance"),
        &json!({ "held": "0", "available": "5" })
    );
}
