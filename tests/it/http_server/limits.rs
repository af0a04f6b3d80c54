//! The cost of operations, and what callers may use over time.

use reqwest::StatusCode;
use reqwest::header::RETRY_AFTER;
use serde_json::{Value, json};

use super::{ask, code, refused_without_a_statement};
use crate::harness::{Client, TestApp};

const PAGE: &str = "query Page($first: Int) { account { id name balance { posted held available } creditLog(first: $first) { \
    nodes { id sequence occurredAt kind amount balanceAfter description actor { kind label } member { id name role } \
    session { id title status } topUp { id status credits } } pageInfo { hasNextPage endCursor } totals { count net } } } }";

#[tokio::test]
async fn an_answer_tells_what_it_cost() {
    let app = TestApp::start().await;
    let (_, _, body) = ask(&app.team.owner.client, "{ viewer { kind } }", json!({})).await;
    assert_eq!(body["extensions"]["cost"], json!({ "requested": 2, "budget": 20_000 }));
    let (_, _, small) = ask(&app.team.owner.client, PAGE, json!({ "first": 5 })).await;
    let (_, _, large) = ask(&app.team.owner.client, PAGE, json!({ "first": 100 })).await;
    let cost = |body: &Value| body["extensions"]["cost"]["requested"].as_u64().expect("a cost");
    assert!(cost(&large) > 5 * cost(&small), "{} and {}", cost(&small), cost(&large));
    assert!(
        cost(&large) * 4 < 10_000,
        "an ordinary page fits with room: {}",
        cost(&large)
    );
}

#[tokio::test]
async fn what_costs_too_much_is_refused_with_its_cost() {
    let app = TestApp::start_with(&[("limits.cost", "500")]).await;
    let client = &app.team.owner.client;
    let asked = json!({ "query": PAGE, "variables": { "first": 50 } });
    let answer = refused_without_a_statement(&app, client, &asked, StatusCode::BAD_REQUEST, "TOO_COMPLEX").await;
    let extensions = &answer["errors"][0]["extensions"];
    assert_eq!(extensions["budget"], 500);
    assert!(extensions["cost"].as_u64().expect("a cost") > 500);
    let message = answer["errors"][0]["message"].as_str().expect("text");
    assert!(
        message.contains("500") && message.contains(&extensions["cost"].to_string()),
        "{message}"
    );
    let (status, _, _) = ask(client, PAGE, json!({ "first": 5 })).await;
    assert_eq!(status, StatusCode::OK);
}

/// Sends requests until one is refused. Returns the number of accepted ones.
async fn asks_until_refused(client: &Client, query: &str) -> (usize, reqwest::header::HeaderMap, Value) {
    for asked in 0..10_000 {
        let (status, headers, body) = ask(client, query, json!({})).await;
        if status == StatusCode::TOO_MANY_REQUESTS {
            return (asked, headers, body);
        }
        assert_eq!(status, StatusCode::OK, "{body}");
    }
    panic!("never refused");
}

#[tokio::test]
async fn who_asks_too_much_waits_and_nobody_else_does() {
    let limits = [("limits.rate", "1"), ("limits.cost", "100"), ("limits.burst", "200")];
    let app = TestApp::start_with(&limits).await;
    let (owner, admin) = (&app.team.owner.client, &app.team.admin.client);
    let (_, _, first) = ask(owner, "{ viewer { kind } }", json!({})).await;
    assert_eq!(first["extensions"]["cost"]["remaining"], 198);
    let (asked, headers, body) = asks_until_refused(owner, "{ viewer { kind } }").await;
    assert!(
        (90..=200).contains(&asked),
        "{asked} requests of 2 each fit into 198, and what refilled meanwhile"
    );
    assert_eq!(code(&body), "RATE_LIMITED");
    assert!(body.get("data").is_none());
    let seconds = body["errors"][0]["extensions"]["retryAfterSeconds"]
        .as_u64()
        .expect("seconds");
    assert!((1..=3).contains(&seconds), "{seconds}");
    assert_eq!(headers[RETRY_AFTER], seconds.to_string());
    let (status, _, body) = ask(admin, "{ viewer { kind } }", json!({})).await;
    assert_eq!(
        (status, &body["extensions"]["cost"]["remaining"]),
        (StatusCode::OK, &json!(198))
    );
    assert_eq!(
        ask(&app.platform, "{ viewer { kind } }", json!({})).await.0,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_refused_change_changes_nothing() {
    let limits = [("limits.rate", "1"), ("limits.cost", "500"), ("limits.burst", "1000")];
    let app = TestApp::start_with(&limits).await;
    let grant = |key: usize| {
        json!({ "i": {
            "accountId": app.team.id(), "credits": "1", "description": "x", "idempotencyKey": key.to_string(),
        } })
    };
    let mutation =
        "mutation G($i: GrantCreditsInput!) { grantCredits(input: $i) { entry { id } userErrors { code } } }";
    let mut granted = 0;
    loop {
        match ask(&app.platform, mutation, grant(granted)).await.0 {
            StatusCode::OK => granted += 1,
            status => break assert_eq!(status, StatusCode::TOO_MANY_REQUESTS),
        }
    }
    let (_, _, body) = ask(&app.team.owner.client, "{ account { balance { posted } } }", json!({})).await;
    assert_eq!(body["data"]["account"]["balance"]["posted"], granted.to_string());
}

#[tokio::test]
async fn those_who_are_not_signed_in_share_their_addresss_allowance() {
    let limits = [("limits.anonymous_rate", "1"), ("limits.anonymous_burst", "5000")];
    let app = TestApp::start_with(&limits).await;
    let guess = app.anonymous().with_credential("lb_nothing_nothing");
    let introspection = "{ __schema { types { name fields { name } } } }";
    let (asked, _, _) = asks_until_refused(&app.anonymous(), introspection).await;
    assert!(asked > 1);
    // After too many guesses, the response no longer says whether a credential is valid.
    let (status, _, body) = ask(&guess, introspection, json!({})).await;
    assert_eq!((status, code(&body)), (StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED"));
    assert_eq!(
        ask(&app.team.owner.client, "{ viewer { kind } }", json!({})).await.0,
        StatusCode::OK
    );
}
