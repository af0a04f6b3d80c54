//! The list of accounts in the API: its filter, its order, its cursors, and the findings of the last check.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Answer, TestApp};
use crate::top_ups::Buyer;

const LIST: &str = "query($filter: AccountFilter, $orderBy: AccountOrder, $first: Int, $after: String) {
    accounts(filter: $filter, orderBy: $orderBy, first: $first, after: $after) {
        nodes { externalId lastFindings { count severity checkedAt } } pageInfo { hasNextPage endCursor } } }";

async fn list(app: &TestApp, variables: Value) -> Answer {
    app.platform.query(LIST, variables).await
}

async fn names(app: &TestApp, filter: Value) -> Vec<String> {
    let listed = list(app, json!({ "filter": filter })).await;
    let nodes = listed.at("/accounts/nodes").as_array().expect("a list").clone();
    let name = |node: &Value| node["externalId"].as_str().expect("an external id").to_owned();
    nodes.iter().map(name).collect()
}

#[tokio::test]
async fn accounts_are_found_by_each_condition_of_the_filter() {
    let app = TestApp::start().await;
    let other = app.another_team("yoga-42").await;
    app.top_up_of(&other, 100).await;
    assert_eq!(names(&app, json!({})).await, ["team", "yoga-42"]);
    let (id, spaced) = (other.id(), format!(" {} ", other.id()));
    for search in ["YOGA", "yoga-42", "yoga-4", id.as_str(), spaced.as_str()] {
        assert_eq!(names(&app, json!({ "search": search })).await, ["yoga-42"], "{search}");
    }
    for search in ["oga", "yoga-43", "acct_unknown"] {
        assert!(names(&app, json!({ "search": search })).await.is_empty(), "{search}");
    }
    assert_eq!(names(&app, json!({ "availableBelow": "100" })).await, ["team"]);
    assert_eq!(
        names(&app, json!({ "availableBelow": "100.0001" })).await,
        ["team", "yoga-42"]
    );

    let input = json!({ "accountId": other.id(), "reason": "Unpaid" });
    app.platform.accept("freeze_account", input).await;
    assert_eq!(names(&app, json!({ "statuses": ["FROZEN"] })).await, ["yoga-42"]);
    assert_eq!(names(&app, json!({ "statuses": ["ACTIVE", "CLOSED"] })).await, ["team"]);
    assert!(names(&app, json!({ "statuses": [] })).await.is_empty());
    assert!(
        names(&app, json!({ "statuses": ["FROZEN"], "availableBelow": "1" }))
            .await
            .is_empty()
    );
    assert!(names(&app, json!({ "autoTopUpPaused": true })).await.is_empty());
    assert_eq!(
        names(&app, json!({ "autoTopUpPaused": false })).await,
        ["team", "yoga-42"]
    );
    app.finish().await;
}

#[tokio::test]
async fn a_renamed_account_is_found_by_its_new_words_alone() {
    let app = TestApp::start().await;
    let input = json!({ "accountId": app.team.id(), "name": "Größe Nord", "externalId": "crm-7" });
    let renamed = app.platform.mutate("updateAccount", "", input).await;
    assert_eq!(renamed["userErrors"], json!([]));
    for (search, found) in [("grösse", 1), ("nord CRM", 1), ("crm-7", 1), ("team", 0)] {
        assert_eq!(names(&app, json!({ "search": search })).await.len(), found, "{search}");
    }
    app.finish().await;
}

#[tokio::test]
async fn the_list_has_three_orders_and_a_cursor_belongs_to_one_of_them() {
    let app = TestApp::start().await;
    let (rich, poor) = (app.another_team("rich").await, app.another_team("poor").await);
    app.top_up_of(&rich, 9).await;
    app.top_up_of(&poor, 1).await;
    app.top_up(5).await;
    for (order, expected) in [
        ("OLDEST_FIRST", ["team", "rich", "poor"]),
        ("NEWEST_FIRST", ["poor", "rich", "team"]),
        ("LOWEST_AVAILABLE_FIRST", ["poor", "team", "rich"]),
    ] {
        let (mut found, mut after) = (Vec::new(), Value::Null);
        loop {
            let page = list(&app, json!({ "orderBy": order, "first": 1, "after": after })).await;
            found.push(page.at("/accounts/nodes/0/externalId").clone());
            after = page.at("/accounts/pageInfo/endCursor").clone();
            if page.at("/accounts/pageInfo/hasNextPage") == &json!(false) {
                break;
            }
        }
        assert_eq!(found, expected, "{order}");
        let other = json!({ "orderBy": order, "after": after, "filter": { "search": "team" } });
        assert_eq!(list(&app, other).await.error_code(), "BAD_REQUEST");
    }
    app.finish().await;
}

#[tokio::test]
async fn findings_are_counted_for_accounts_that_no_client_follows() {
    let app = TestApp::start().await;
    let findings = "/accounts/nodes/0/lastFindings";
    assert_eq!(
        list(&app, json!({})).await.at(findings),
        &Value::Null,
        "it was never checked"
    );
    assert!(names(&app, json!({ "hasFindings": true })).await.is_empty());

    app.look().await;
    let before = list(&app, json!({})).await.at(findings).clone();
    Buyer::of(&app).buy_with("card_declined", "10").await;
    app.look().await;
    assert_eq!(
        list(&app, json!({})).await.at(findings),
        &before,
        "the last check is current"
    );
    app.advance(Duration::from_mins(16));
    app.look().await;
    let listed = list(&app, json!({})).await;
    let found = listed.at(findings);
    let (now, then) = (found["count"].as_i64(), before["count"].as_i64());
    assert!(now > then && found["severity"].is_string(), "{before} {found}");
    assert_eq!(found["checkedAt"], json!(app.clock.now().to_string()));
    assert_eq!(names(&app, json!({ "hasFindings": true })).await, ["team"]);
    assert!(names(&app, json!({ "hasFindings": false })).await.is_empty());
    let troubleshooting = "{ account { troubleshooting { code } lastFindings { count } } }";
    let own = app.team.owner.client.query(troubleshooting, json!({})).await;
    let count = own.at("/account/troubleshooting").as_array().map(Vec::len);
    assert_eq!(
        own.at("/account/lastFindings/count"),
        &json!(count),
        "the same as the team sees"
    );
    app.finish().await;
}

#[tokio::test]
async fn a_check_of_findings_is_made_again_only_after_an_event_or_when_a_rule_waits_for_the_time() {
    let app = TestApp::start().await;
    app.top_up(50).await;
    // It ends in three hours, and is not completed.
    app.book(app.booking("3", "lesson", 120..180)).await;
    app.look().await;
    let findings = async || list(&app, json!({})).await.at("/accounts/nodes/0/lastFindings").clone();
    let statements = async || {
        let before = app.app().database().statements();
        app.look().await;
        app.app().database().statements() - before
    };
    let first = findings().await;
    app.advance(Duration::from_mins(17));
    let renewing = statements().await;
    let renewed = findings().await;
    assert_eq!(renewed["count"], first["count"]);
    assert_eq!(renewed["checkedAt"], json!(app.clock.now().to_string()));

    app.advance(Duration::from_hours(3));
    assert!(statements().await > renewing + 10, "its time has come");
    let later = findings().await;
    assert!(later["count"].as_i64() > first["count"].as_i64(), "{first} {later}");

    app.top_up(1).await;
    app.advance(Duration::from_mins(17));
    assert!(statements().await > renewing + 10, "it has an event");
    app.advance(Duration::from_hours(25));
    assert!(statements().await > renewing + 10, "a day has passed");
    app.finish().await;
}

#[tokio::test]
async fn the_old_arguments_work_and_are_refused_beside_the_same_condition_of_the_filter() {
    let app = TestApp::start().await;
    app.another_team("yoga").await;
    let query = |arguments: &str| format!("{{ accounts({arguments}) {{ nodes {{ externalId }} }} }}");
    for (arguments, expected) in [
        ("search: \"yoga\"", json!([{ "externalId": "yoga" }])),
        ("status: FROZEN", json!([])),
        (
            "externalIds: [\"team\"], filter: { availableBelow: \"1\" }",
            json!([{ "externalId": "team" }]),
        ),
    ] {
        let listed = app.platform.query(&query(arguments), json!({})).await;
        assert_eq!(listed.at("/accounts/nodes"), &expected, "{arguments}");
    }
    for arguments in [
        "search: \"a\", filter: { search: \"b\" }",
        "status: ACTIVE, filter: { statuses: [ACTIVE] }",
    ] {
        let refused = app.platform.query(&query(arguments), json!({})).await;
        assert_eq!(refused.error_code(), "BAD_REQUEST", "{arguments}");
    }
    let long = "a".repeat(201);
    for (arguments, field) in [
        (format!("search: \"{long}\""), "search"),
        (format!("filter: {{ search: \"{long}\" }}"), "filter.search"),
    ] {
        let refused = app.platform.query(&query(&arguments), json!({})).await;
        assert_eq!(refused.body["errors"][0]["extensions"]["field"], json!(field));
    }
    app.finish().await;
}
