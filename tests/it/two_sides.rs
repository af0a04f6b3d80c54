//! The platform sells and the team buys. Only the platform decides about credits and money that were spent, and neither side
//! blocks the other.

use std::time::Duration;

use ledgerbell::primitives::actor::Permission;
use serde_json::{Value, json};

use crate::harness::{Client, TestApp, with};
use crate::top_ups::Buyer;

async fn book(app: &TestApp, key: &str, credits: &str) -> Value {
    json!(app.book(app.booking(credits, key, 10..55)).await)
}

/// Returns balance, sessions, top-ups, and the position in the account's stream, which changes with each event.
async fn seen(app: &TestApp) -> Value {
    let query = "query ($id: ID) { account(id: $id) { liveCursor status balance { version posted held } \
        sessions { nodes { id status charged refunded } } topUps { nodes { id status creditsReversed } } } }";
    app.platform
        .query(query, json!({ "id": app.team.id() }))
        .await
        .at("/account")
        .clone()
}

/// Returns the callers of the team with the most permissions: an owner, an admin, and a key with all permissions of a team.
async fn the_team(app: &TestApp) -> [(&'static str, Client); 3] {
    let of_team: Vec<Permission> = Permission::ALL
        .into_iter()
        .filter(|permission| !permission.is_of_platform())
        .collect();
    [
        ("owner", app.team.owner.client.clone()),
        ("admin", app.team.admin.client.clone()),
        ("team key", app.team_key(&of_team).await),
    ]
}

#[tokio::test]
async fn the_team_neither_settles_sessions_nor_sends_money_back_and_changes_nothing_by_trying() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let paid = buyer.buy_with("card_ok", "70").await;
    let delivered = book(&app, "first", "25").await;
    app.advance(Duration::from_hours(1));
    let done = json!({ "sessionId": delivered, "idempotencyKey": "done" });
    app.platform.apply("completeSession", "session { id }", done).await;
    let over = book(&app, "second", "45").await;
    app.advance(Duration::from_mins(30));
    // It is in progress; all bought credits are spent or held.
    let attempts = [
        (
            "completeSession",
            json!({ "sessionId": over, "credits": "0", "idempotencyKey": "a" }),
        ),
        ("cancelSession", json!({ "sessionId": over, "idempotencyKey": "b" })),
        (
            "cancelSession",
            json!({ "sessionId": over, "fee": "1", "idempotencyKey": "c" }),
        ),
        (
            "cancelSession",
            json!({ "sessionId": over, "noShow": true, "idempotencyKey": "d" }),
        ),
        (
            "rescheduleSession",
            json!({ "sessionId": over, "startsAt": app.in_minutes(90), "endsAt": app.in_minutes(120), "idempotencyKey": "e" }),
        ),
        (
            "refundSession",
            json!({ "sessionId": delivered, "credits": "3", "reason": "Late", "idempotencyKey": "f" }),
        ),
        (
            "refundTopUp",
            json!({ "topUpId": paid["id"], "reason": "Too many", "idempotencyKey": "g" }),
        ),
        (
            "refundTopUp",
            json!({ "topUpId": paid["id"], "credits": "1", "reason": "Too many", "idempotencyKey": "h" }),
        ),
        (
            "grantCredits",
            json!({ "credits": "5", "description": "For us", "idempotencyKey": "i" }),
        ),
        (
            "adjustCredits",
            json!({ "amount": "5", "description": "For us", "idempotencyKey": "j" }),
        ),
        ("updateAccount", json!({ "creditPrice": "0.01" })),
        ("freezeAccount", json!({ "reason": "Holidays" })),
        ("closeAccount", json!({ "reason": "Enough" })),
    ];
    let team = the_team(&app).await;
    for status in ["ACTIVE", "FROZEN", "CLOSED"] {
        let of = json!({ "accountId": app.team.id(), "reason": "Unpaid" });
        match status {
            "FROZEN" => drop(app.platform.apply("freezeAccount", "account { id }", of).await),
            "CLOSED" => {
                // A session that has ended by then can still be settled.
                app.advance(Duration::from_mins(30));
                app.platform.apply("closeAccount", "account { id }", of).await;
            }
            _ => {}
        }
        let before = seen(&app).await;
        assert_eq!(before["status"], status);
        for (who, client) in &team {
            for (name, input) in &attempts {
                let mut input = input.clone();
                if [
                    "grantCredits",
                    "adjustCredits",
                    "updateAccount",
                    "freezeAccount",
                    "closeAccount",
                ]
                .contains(name)
                {
                    input["accountId"] = json!(app.team.id());
                }
                let refused = client.mutate(name, "__typename", input).await;
                assert_eq!(
                    refused["userErrors"][0]["code"], "FORBIDDEN",
                    "{name} by the {who}, {status}: {refused}"
                );
            }
        }
        assert_eq!(seen(&app).await, before, "{status}");
    }
    // A refused request blocks nothing: the platform's own completion is not too late, and its keys are free.
    let input = json!({ "sessionId": over, "idempotencyKey": "a" });
    let completed = app
        .platform
        .apply("completeSession", "session { status charged }", input)
        .await;
    assert_eq!(completed["session"], json!({ "status": "COMPLETED", "charged": "45" }));
}

#[tokio::test]
async fn the_team_cannot_use_up_a_key_that_the_platform_will_send_nor_the_other_way_round() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    buyer.add_card("card_ok").await;
    app.top_up(40).await;
    let session = book(&app, "book", "15").await;
    let bound = app
        .key(&[
            Permission::SettleSessions,
            Permission::BuyCredits,
            Permission::ReadCreditLog,
        ])
        .await;
    let team_key = app.team_key(&[Permission::BuyCredits, Permission::ReadCreditLog]).await;
    let buy = |credits: &str| json!({ "accountId": app.team.id(), "credits": credits, "idempotencyKey": "settle-41" });
    let complete = json!({ "sessionId": session, "idempotencyKey": "settle-41" });
    // The admin sends it first, with what the team may not do.
    let refused = app
        .team
        .admin
        .client
        .mutate("completeSession", "__typename", complete.clone())
        .await;
    assert_eq!(refused["userErrors"][0]["code"], "FORBIDDEN");
    let bought = app
        .team
        .admin
        .client
        .apply("createTopUp", "topUp { id }", buy("6"))
        .await;
    let completed = app
        .platform
        .apply("completeSession", "session { status } entry { id }", complete.clone())
        .await;
    assert_eq!(completed["session"]["status"], "COMPLETED");
    // Each replays its own, whichever of its credentials it sends.
    for client in [&app.platform, &bound] {
        let again = client
            .apply("completeSession", "session { status } entry { id }", complete.clone())
            .await;
        assert_eq!(again["entry"], completed["entry"]);
        let other = client.mutate("createTopUp", "topUp { id }", buy("6")).await;
        assert_eq!(other["userErrors"][0]["code"], "IDEMPOTENCY_KEY_REUSED", "{other}");
    }
    for client in [&app.team.admin.client, &app.team.owner.client, &team_key] {
        let again = client.apply("createTopUp", "topUp { id }", buy("6")).await;
        assert_eq!(again["topUp"], bought["topUp"]);
        let other = client.mutate("createTopUp", "topUp { id }", buy("7")).await;
        assert_eq!(other["userErrors"][0]["code"], "IDEMPOTENCY_KEY_REUSED", "{other}");
    }
    assert_eq!(buyer.top_ups().await.len(), 2, "the paid one, and the team's");
}

#[tokio::test]
async fn who_books_cancels_free_of_charge_and_who_settles_charges_for_it() {
    let app = TestApp::start().await;
    app.top_up(60).await;
    let books = app.key(&[Permission::BookSessions, Permission::ReadOwnUsage]).await;
    let settles = app.key(&[Permission::SettleSessions, Permission::ReadOwnUsage]).await;
    let cases = [
        ("free", json!({}), &books, &settles),
        ("a fee of nothing", json!({ "fee": "0" }), &books, &settles),
        ("a fee", json!({ "fee": "2.5" }), &settles, &books),
        ("a no-show", json!({ "noShow": true }), &settles, &books),
        (
            "a no-show with a fee",
            json!({ "noShow": true, "fee": "1" }),
            &settles,
            &books,
        ),
    ];
    for (how, besides, may, may_not) in cases {
        let session = book(&app, how, "10").await;
        let cancel = json!({ "sessionId": session, "idempotencyKey": format!("cancel, {how}") });
        let input = with(cancel, besides);
        let before = seen(&app).await;
        let refused = may_not.mutate("cancelSession", "__typename", input.clone()).await;
        assert_eq!(refused["userErrors"][0]["code"], "FORBIDDEN", "{how}: {refused}");
        assert_eq!(seen(&app).await, before, "{how}");
        let canceled = may.apply("cancelSession", "session { held }", input).await;
        assert_eq!(canceled["session"]["held"], "0", "{how}");
    }
    let session = book(&app, "to complete", "10").await;
    let complete = json!({ "sessionId": session, "idempotencyKey": "complete" });
    let refused = books.mutate("completeSession", "__typename", complete).await;
    assert_eq!(refused["userErrors"][0]["code"], "FORBIDDEN", "{refused}");
}
