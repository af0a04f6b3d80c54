//! Queries, mutations and subscriptions are distinguished, and each has its allowed transports.

use reqwest::StatusCode;
use serde_json::json;

use super::{NEW, ask, code, refused_without_a_statement};
use crate::harness::TestApp;

const SUBSCRIPTION: &str = "subscription { balanceChanged { cursor } }";

#[tokio::test]
async fn subscriptions_are_no_answers_to_post_or_get() {
    let app = TestApp::start().await;
    let client = &app.team.owner.client;
    let asked = json!({ "query": SUBSCRIPTION });
    let answer = refused_without_a_statement(&app, client, &asked, StatusCode::NOT_ACCEPTABLE, "BAD_REQUEST").await;
    assert!(
        answer["errors"][0]["message"]
            .as_str()
            .expect("text")
            .contains("text/event-stream")
    );
    for accept in [NEW, "application/json", "*/*"] {
        let url = "/graphql?query=subscription%7BbalanceChanged%7Bcursor%7D%7D";
        let response = client
            .get(url)
            .header("accept", accept)
            .send()
            .await
            .expect("an answer");
        assert_eq!(response.status(), StatusCode::NOT_ACCEPTABLE, "{accept}");
    }
}

#[tokio::test]
async fn subscriptions_have_one_field_and_no_conditions_at_their_top() {
    let app = TestApp::start().await;
    for query in [
        "subscription { balanceChanged { cursor } sessionUpdated { cursor } }",
        "subscription { ...A } fragment A on Subscription { balanceChanged { cursor } sessionUpdated { cursor } }",
        "subscription S($yes: Boolean!) { balanceChanged @include(if: $yes) { cursor } }",
        "subscription { ... @skip(if: false) { balanceChanged { cursor } } }",
    ] {
        let asked = json!({ "query": query, "variables": { "yes": true } });
        let client = &app.team.owner.client;
        refused_without_a_statement(&app, client, &asked, StatusCode::BAD_REQUEST, "BAD_REQUEST").await;
    }
}

#[tokio::test]
async fn a_mutation_that_moves_credits_stands_alone() {
    let app = TestApp::start().await;
    let account = app.team.id();
    let grant = |alias: &str, key: &str| {
        format!(
            "{alias}: grantCredits(input: {{ accountId: \"{account}\", credits: \"1\", description: \"x\", \
             idempotencyKey: \"{key}\" }}) {{ entry {{ id }} userErrors {{ code }} }}"
        )
    };
    let two = format!("mutation {{ {} {} }}", grant("a", "1"), grant("b", "2"));
    let asked = json!({ "query": two });
    refused_without_a_statement(&app, &app.platform, &asked, StatusCode::BAD_REQUEST, "TOO_COMPLEX").await;
    let one = app
        .platform
        .query(&format!("mutation {{ {} }}", grant("a", "1")), json!({}))
        .await;
    assert_eq!(one.at("/a/userErrors"), &json!([]));
    let balance = app.platform.query(
        "query B($id: ID!) { account(id: $id) { balance { posted } } }",
        json!({ "id": account }),
    );
    assert_eq!(balance.await.at("/account/balance/posted"), "1");
}

#[tokio::test]
async fn variables_are_coerced_before_anything_is_executed() {
    let app = TestApp::start().await;
    let client = &app.team.owner.client;
    for (what, query, variables) in [
        (
            "one that is missing",
            "query Q($n: Int!) { account { creditLog(first: $n) { nodes { id } } } }",
            json!({}),
        ),
        (
            "one that is null",
            "query Q($n: Int!) { account { creditLog(first: $n) { nodes { id } } } }",
            json!({ "n": null }),
        ),
        (
            "a text for a number",
            "query Q($n: Int) { account { creditLog(first: $n) { nodes { id } } } }",
            json!({ "n": "5" }),
        ),
        (
            "a number with a fraction",
            "query Q($n: Int) { account { creditLog(first: $n) { nodes { id } } } }",
            json!({ "n": 1.5 }),
        ),
        (
            "a number of 33 bits",
            "query Q($n: Int) { account { creditLog(first: $n) { nodes { id } } } }",
            json!({ "n": 4_294_967_296_i64 }),
        ),
        (
            "a condition that is missing",
            "query Q($yes: Boolean!) { viewer { kind @include(if: $yes) } }",
            json!({}),
        ),
        (
            "a condition that is a text",
            "query Q($yes: Boolean!) { viewer { kind @include(if: $yes) } }",
            json!({ "yes": "true" }),
        ),
        (
            "a text for an object",
            "query Q($f: CreditLogFilter) { account { creditLog(filter: $f) { nodes { id } } } }",
            json!({ "f": "all" }),
        ),
        (
            "a field that does not exist",
            "query Q($f: CreditLogFilter) { account { creditLog(filter: $f) { nodes { id } } } }",
            json!({ "f": { "nothing": 1 } }),
        ),
        (
            "a value that the enum does not have",
            "query Q($f: CreditLogFilter) { account { creditLog(filter: $f) { nodes { id } } } }",
            json!({ "f": { "kinds": ["NOTHING"] } }),
        ),
        (
            "null in a list of what is never null",
            "query Q($ids: [ID!]!) { nodes(ids: $ids) { id } }",
            json!({ "ids": [null] }),
        ),
        (
            "a number for a text",
            "query Q($x: String) { account(externalId: $x) { id } }",
            json!({ "x": 5 }),
        ),
        (
            "an object for an id",
            "query Q($x: ID) { account(id: $x) { id } }",
            json!({ "x": {} }),
        ),
        (
            "a required field that is missing",
            "mutation M($i: GrantCreditsInput!) { grantCredits(input: $i) { entry { id } } }",
            json!({ "i": { "credits": "1", "description": "x" } }),
        ),
    ] {
        let (status, _, body) = ask(client, query, variables).await;
        assert_eq!(
            (status, code(&body)),
            (StatusCode::BAD_REQUEST, "BAD_REQUEST"),
            "{what}: {body}"
        );
        assert!(body.get("data").is_none(), "{what}: {body}");
    }
    // A single item is accepted as a list of one, and a number as an id.
    let (status, _, body) = ask(
        client,
        "query Q($ids: [ID!]!) { nodes(ids: $ids) { id } }",
        json!({ "ids": 5 }),
    )
    .await;
    assert_eq!((status, &body["data"]["nodes"]), (StatusCode::OK, &json!([null])));
}
