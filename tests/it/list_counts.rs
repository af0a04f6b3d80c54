//! What is read of a list without its page: counts, totals and cursors.

use ledgerbell::primitives::actor::{Permission, Side};
use serde_json::json;

use crate::harness::TestApp;

#[tokio::test]
async fn a_log_without_its_page_needs_the_permission_too() {
    let app = TestApp::start().await;
    let key = app
        .key_of(Some(app.team.account.id), Side::Team, &[Permission::ManageMembers])
        .await;
    for selection in ["{ liveCursor }", "{ __typename }", "{ nodes { id } }"] {
        let query = format!("{{ account {{ id creditLog(first: 0) {selection} }} }}");
        let answer = key.query(&query, json!({})).await;
        assert_eq!(answer.error_code(), "FORBIDDEN", "{selection}");
        let account = &answer.body["data"]["account"];
        assert!(
            account["id"].is_string() && account["creditLog"].is_null(),
            "{selection}"
        );
    }
}

#[tokio::test]
async fn counts_are_read_without_the_page_beside_them() {
    let app = TestApp::start().await;
    app.top_up(7).await;
    app.evaluate().await;
    let owner = &app.team.owner.client;
    let statements = async |selection: &str| {
        let before = app.app().database().statements();
        let answer = owner
            .query(&format!("{{ account {{ {selection} }} }}"), json!({}))
            .await;
        assert!(answer.at("/account").is_object(), "{selection}");
        app.app().database().statements() - before
    };
    for (list, count) in [("alerts", "unreadCount"), ("creditLog", "totals { count }")] {
        let none = statements(&format!("{list}(first: 0) {{ {count} }}")).await;
        let alone = statements(&format!("{list}(first: 6) {{ {count} __typename }}")).await;
        assert_eq!(alone, none, "{list}");
        for rows in ["nodes { id }", "edges { cursor }", "...Rows"] {
            let connection = if list == "alerts" { "Alert" } else { "CreditEntry" };
            let rows = rows.replace(
                "...Rows",
                &format!("... on {connection}Connection {{ pageInfo {{ endCursor }} }}"),
            );
            let both = statements(&format!("{list}(first: 6) {{ {count} {rows} }}")).await;
            assert!(both > none, "{list} {rows}");
        }
    }
    app.finish().await;
}
