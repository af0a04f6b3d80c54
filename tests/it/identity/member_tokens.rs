//! Tokens that the platform creates for its pages.

use std::time::Duration;

use ledgerbell::primitives::actor::Permission;
use serde_json::{Value, json};

use super::{SECRET, code, refusal, signed_in, start};
use crate::harness::{Client, TestApp};

async fn make(client: &Client, input: Value) -> Value {
    client
        .mutate("createMemberToken", "token expiresAt member { id name }", input)
        .await
}

#[tokio::test]
async fn the_platform_has_a_token_made_that_signs_a_member_in_until_it_ends() {
    let app = start().await;
    let member = app.team.member.id();
    let made = make(
        &app.platform,
        json!({ "accountId": app.team.id(), "memberId": member, "expiresInSeconds": 60 }),
    )
    .await;
    assert_eq!(code(&made), "accepted", "{made}");
    assert_eq!(made["member"], json!({ "id": member, "name": "Mia" }));
    let token = made["token"].as_str().expect("a token");
    assert_eq!(signed_in(&app, token).await, "Mia");
    let viewer = app.platform.with_credential(token);
    let viewer = viewer
        .query("{ viewer { tokenExpiresAt permissions } }", json!({}))
        .await;
    assert_eq!(viewer.at("/viewer/tokenExpiresAt"), &made["expiresAt"]);
    assert_eq!(viewer.at("/viewer/permissions"), &json!(["READ_OWN_USAGE"]));
    // Clocks may differ by 5 seconds.
    app.advance(Duration::from_secs(66));
    assert_eq!(signed_in(&app, token).await, "UNAUTHENTICATED");
}

#[tokio::test]
async fn the_platform_names_account_and_member_by_its_own_ids() {
    let app = start().await;
    let (account, member) = (app.team.id(), app.team.member.id());
    let input = json!({ "memberId": member, "externalId": "mia-1" });
    assert_eq!(
        code(&app.platform.mutate("updateMember", "member { id }", input).await),
        "accepted"
    );
    for input in [
        json!({ "accountExternalId": "team", "memberExternalId": "mia-1" }),
        json!({ "accountId": account, "memberExternalId": "mia-1" }),
        json!({ "accountExternalId": "team", "memberId": member }),
    ] {
        let made = make(&app.platform, input.clone()).await;
        assert_eq!(
            (code(&made), &made["member"]["id"]),
            ("accepted", &json!(member)),
            "{input}"
        );
    }
    for (input, refused, field) in [
        (json!({}), "VALIDATION", "memberId"),
        (json!({ "memberExternalId": "mia-1" }), "VALIDATION", "accountId"),
        (
            json!({ "accountExternalId": "team", "memberExternalId": "x" }),
            "NOT_FOUND",
            "memberExternalId",
        ),
        (
            json!({ "accountExternalId": "x", "memberExternalId": "mia-1" }),
            "NOT_FOUND",
            "accountExternalId",
        ),
        (
            json!({ "memberId": member, "memberExternalId": "mia-1" }),
            "VALIDATION",
            "memberId",
        ),
        (
            json!({ "accountId": account, "accountExternalId": "team", "memberId": member }),
            "VALIDATION",
            "accountId",
        ),
    ] {
        let made = make(&app.platform, input.clone()).await;
        assert_eq!(refusal(&made), (refused, field.to_owned()), "{input}");
    }
    let input = json!({ "memberExternalId": "mia-1" });
    let by_team = make(&app.team.owner.client, input).await;
    assert_eq!(code(&by_team), "FORBIDDEN");
}

#[tokio::test]
async fn a_token_lives_a_quarter_of_an_hour_unless_told_and_never_more_than_an_hour() {
    let app = TestApp::start_with(&[("auth.jwt_secret", SECRET), ("auth.max_token_lifetime", "1800")]).await;
    let member = app.team.member.id();
    let made = make(&app.platform, json!({ "memberId": member })).await;
    let second = app.clock.now().millis() / 1_000;
    let ends = made["expiresAt"].as_str().expect("an instant");
    let expected = app
        .clock
        .now()
        .plus_millis(second * 1_000 - app.clock.now().millis() + 900_000);
    assert_eq!(ends, expected.to_string());
    for seconds in [0, -1, 1_801, 3_600, 3_601] {
        let refused = make(
            &app.platform,
            json!({ "memberId": member, "expiresInSeconds": seconds }),
        )
        .await;
        assert_eq!(
            refusal(&refused),
            ("VALIDATION", "expiresInSeconds".to_owned()),
            "{seconds}"
        );
        assert!(refused["token"].is_null());
    }
    let longest = make(&app.platform, json!({ "memberId": member, "expiresInSeconds": 1_800 })).await;
    assert_eq!(code(&longest), "accepted", "{longest}");
}

#[tokio::test]
async fn no_token_is_made_for_who_left_nor_for_a_member_of_another_team() {
    let app = start().await;
    let member = app.team.member.id();
    let other = app.another_team("other").await;
    let of_other = json!({ "accountId": app.team.id(), "memberId": other.member.id() });
    assert_eq!(
        refusal(&make(&app.platform, of_other).await),
        ("NOT_FOUND", "memberId".to_owned())
    );
    let made = make(&app.platform, json!({ "memberId": member })).await;
    let removed = app
        .platform
        .mutate("removeMember", "member { id }", json!({ "memberId": member }))
        .await;
    assert_eq!(code(&removed), "accepted", "{removed}");
    let refused = make(&app.platform, json!({ "memberId": member })).await;
    assert_eq!(refusal(&refused), ("MEMBER_REMOVED", "memberId".to_owned()));
    let token = made["token"].as_str().expect("a token");
    assert_eq!(signed_in(&app, token).await, "UNAUTHENTICATED");
}

#[tokio::test]
async fn neither_members_nor_keys_of_the_team_make_tokens() {
    let app = start().await;
    let input = json!({ "memberId": app.team.member.id() });
    let team_key = app.team_key(&[Permission::ManageMembers]).await;
    let weak_key = app.key(&[Permission::ReadCreditLog]).await;
    for client in [&app.team.owner.client, &app.team.member.client, &team_key, &weak_key] {
        let refused = make(client, input.clone()).await;
        assert_eq!(code(&refused), "FORBIDDEN", "{refused}");
        assert!(refused["token"].is_null());
    }
    let own_key = app.key(&[Permission::ManageMembers]).await;
    assert_eq!(code(&make(&own_key, input).await), "accepted");
}

#[tokio::test]
async fn where_only_an_issuer_signs_tokens_the_refusal_says_so() {
    let app = start().await;
    let platform = app.sign_in(&app.platform).await.actor;
    let other = app
        .another_process(&[
            ("auth.jwks_url", "http://127.0.0.1:9/keys"),
            ("auth.issuer", "https://issuer.example"),
            ("auth.audience", "ledgerbell"),
        ])
        .await;
    let (account, member) = (app.team.account.id, app.team.member.member.id);
    let refused = other
        .services()
        .sign_in
        .member_token(&platform, account, member, 60)
        .await;
    let refused = refused.expect_err("there is no secret");
    assert!(refused.to_string().contains("OIDC issuer"), "{refused}");
    other.close().await;
}
