//! Creating, changing and listing endpoints.

use serde_json::{Value, json};

use super::{ENDPOINT, about, code, endpoint, start};
use crate::harness::TestApp;

async fn listed(app: &TestApp) -> Value {
    let query = "{ account { webhookEndpoints { id url description eventTypes enabled version deletedAt } } }";
    let answer = app.team.owner.client.query(query, json!({})).await;
    answer.at("/account/webhookEndpoints").clone()
}

#[tokio::test]
async fn an_endpoint_is_created_changed_and_listed() {
    let app = TestApp::start().await;
    let adam = &app.team.admin.client;
    let input = json!({ "url": " https://example.com/hooks ", "description": "Books", "eventTypes": ["ALERT_RAISED"] });
    let created = adam
        .apply("createWebhookEndpoint", &format!("{ENDPOINT} secret"), input)
        .await;
    let id = created["webhookEndpoint"]["id"].as_str().expect("an id").to_owned();
    assert!(id.starts_with("whe_"));
    assert!(
        created["secret"]
            .as_str()
            .is_some_and(|secret| secret.starts_with("whsec_"))
    );
    let mut expected = json!({ "id": id, "account": { "id": app.team.id() }, "url": "https://example.com/hooks",
        "description": "Books", "eventTypes": ["ALERT_RAISED"], "enabled": true, "disabledBecause": null, "disabledAt": null,
        "failingSince": null, "previousSecretUntil": null, "createdBy": { "label": "Adam" },
        "createdAt": "2026-03-02T09:00:00.000Z", "deletedAt": null, "version": 1 });
    assert_eq!(created["webhookEndpoint"], expected);
    let change =
        json!({ "url": "https://example.com/other", "eventTypes": [], "enabled": false, "expectedVersion": 1 });
    let changed = about(adam, "updateWebhookEndpoint", &id, &change).await;
    for (field, value) in [
        ("url", json!("https://example.com/other")),
        ("eventTypes", json!([])),
        ("enabled", json!(false)),
        ("disabledBecause", json!("REQUESTED")),
        ("disabledAt", json!("2026-03-02T09:00:00.000Z")),
        ("version", json!(2)),
    ] {
        expected[field] = value;
    }
    assert_eq!(changed["webhookEndpoint"], expected);
    let before = listed(&app).await;
    let same = about(adam, "updateWebhookEndpoint", &id, &json!({ "enabled": false })).await;
    assert_eq!(same["webhookEndpoint"], expected, "the same again changes nothing");
    let stale = about(
        adam,
        "updateWebhookEndpoint",
        &id,
        &json!({ "enabled": true, "expectedVersion": 1 }),
    )
    .await;
    assert_eq!(
        (code(&stale), &stale["webhookEndpoint"]),
        ("VERSION_CONFLICT", &expected)
    );
    for (with, field) in [
        (json!({ "url": "ftp://example.com" }), "url"),
        (json!({ "url": "https://10.0.0.1/" }), "url"),
        (
            json!({ "url": format!("https://example.com/{}", "x".repeat(2_000)) }),
            "url",
        ),
        (json!({ "url": null }), "url"),
        (json!({ "description": "x".repeat(501) }), "description"),
        (json!({ "description": "a\nb" }), "description"),
    ] {
        let refused = about(adam, "updateWebhookEndpoint", &id, &with).await;
        assert_eq!(
            (code(&refused), &refused["userErrors"][0]["field"][0]),
            ("VALIDATION", &json!(field))
        );
    }
    assert_eq!(listed(&app).await, before, "refusals change nothing");
    assert_eq!(before.as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn an_installation_calls_https_unless_it_is_for_development() {
    let app = TestApp::start_with(&[("webhook_endpoints.allow_http", "false")]).await;
    let input = json!({ "url": "http://example.com/hooks" });
    let owner = &app.team.owner.client;
    let refused = owner
        .mutate("createWebhookEndpoint", "webhookEndpoint { id }", input)
        .await;
    assert_eq!(code(&refused), "VALIDATION");
    assert_eq!(listed(&app).await, json!([]));
}

#[tokio::test]
async fn an_account_has_twenty_endpoints_at_most() {
    let app = start().await;
    let mut last = String::new();
    for number in 0..20 {
        last = endpoint(&app, &format!("https://example.com/{number}"), &json!({}))
            .await
            .id;
    }
    let owner = &app.team.owner.client;
    let input = json!({ "url": "https://example.com/more" });
    let refused = owner
        .mutate("createWebhookEndpoint", "webhookEndpoint { id } secret", input.clone())
        .await;
    assert_eq!(
        (code(&refused), &refused["secret"]),
        ("WEBHOOK_ENDPOINT_LIMIT", &json!(null))
    );
    assert_eq!(listed(&app).await.as_array().map(Vec::len), Some(20));
    about(owner, "deleteWebhookEndpoint", &last, &json!({})).await;
    owner
        .apply("createWebhookEndpoint", "webhookEndpoint { id }", input)
        .await;
    let stale = about(owner, "updateWebhookEndpoint", &last, &json!({ "enabled": true })).await;
    assert_eq!(code(&stale), "NOT_FOUND", "it was deleted");
}

#[tokio::test]
async fn endpoints_of_another_account_do_not_exist() {
    let app = start().await;
    let made = endpoint(&app, "https://example.com/hooks", &json!({})).await;
    let other = app.another_team("other").await;
    let before = listed(&app).await;
    for (name, with) in [
        ("updateWebhookEndpoint", json!({ "enabled": false })),
        ("deleteWebhookEndpoint", json!({})),
        ("rotateWebhookEndpointSecret", json!({})),
        ("sendTestWebhook", json!({})),
    ] {
        let refused = about(&other.owner.client, name, &made.id, &with).await;
        assert_eq!(code(&refused), "NOT_FOUND", "{name}");
        let refused = about(&app.team.member.client, name, &made.id, &with).await;
        assert_eq!(code(&refused), "FORBIDDEN", "{name}");
    }
    assert_eq!(listed(&app).await, before);
    // A key of the platform with no right to manage accounts makes none for all of them.
    let key = json!({ "name": "Reader", "permissions": ["READ_CREDIT_LOG", "MANAGE_SETTINGS"] });
    let key = app.platform.apply("createApiKey", "secret", key).await;
    let reader = app.platform.with_credential(key["secret"].as_str().expect("a secret"));
    let input = json!({ "url": "https://example.com/all" });
    let refused = reader
        .mutate("createWebhookEndpoint", "webhookEndpoint { id }", input)
        .await;
    assert_eq!(code(&refused), "FORBIDDEN");
}
