//! What an API key may see with its permissions.

use ledgerbell::primitives::actor::Permission;
use serde_json::json;

use crate::harness::TestApp;

#[tokio::test]
async fn a_key_that_only_books_sees_what_it_booked_and_no_balance_but_the_one_it_made() {
    let app = TestApp::start().await;
    app.top_up(100).await;
    let books = app.key(&[Permission::BookSessions, Permission::SettleSessions]).await;
    let fields = "session { id status } balance { held } account { balance { held } eligibility { canBook } }";
    let booked = books
        .mutate("bookSession", fields, app.booking("1", "a", 60..120))
        .await;
    assert_eq!(booked["session"]["status"], "BOOKED", "{booked}");
    assert_eq!(booked["balance"]["held"], "1");
    assert_eq!(
        booked["account"]["balance"]["held"], "1",
        "the one that the command made"
    );
    let fields = "results { session { status } userErrors { code } }";
    let input = json!({ "items": [app.booking("1", "b", 60..120), app.booking("1000", "c", 60..120)] });
    let results = books.mutate("bookSessions", fields, input).await["results"].clone();
    assert_eq!(results[0]["session"]["status"], "BOOKED", "{results}");
    assert_eq!(results[1]["userErrors"][0]["code"], "INSUFFICIENT_CREDITS");
    let fields = "session { status } entry { amount }";
    let input = json!({ "sessionId": booked["session"]["id"], "idempotencyKey": "done" });
    let completed = books.mutate("completeSession", fields, input).await;
    assert_eq!(
        (&completed["session"]["status"], &completed["entry"]["amount"]),
        (&json!("COMPLETED"), &json!("-1"))
    );
    let balance_id = app.platform.query(
        "query ($id: ID) { account(id: $id) { balance { id } } }",
        json!({ "id": app.team.id() }),
    );
    let balance_id = balance_id.await.at("/account/balance/id").clone();
    let reads = app.key(&[Permission::ReadCreditLog]).await;
    for (query, variables) in [
        ("{ account { balance { posted } } }", json!({})),
        ("{ account { eligibility { canBook } } }", json!({})),
        (
            "query ($id: ID!) { node(id: $id) { ... on Balance { posted } } }",
            json!({ "id": balance_id }),
        ),
    ] {
        assert_eq!(
            books.query(query, variables.clone()).await.error_code(),
            "FORBIDDEN",
            "{query}"
        );
        for client in [&reads, &app.team.member.client] {
            let answer = client.query(query, variables.clone()).await;
            assert!(
                answer
                    .data()
                    .as_object()
                    .is_some_and(|data| data.values().all(|value| !value.is_null())),
                "{query}"
            );
        }
    }
}
