//! What refusals and lists say in figures, and what is kept of what was given.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::TestApp;
use crate::top_ups::Buyer;

const BOOK: &str = "mutation($input: BookSessionInput!) { bookSession(input: $input) { session { id metadata } \
    balance { posted held available } userErrors { code message field missingCredits available held } } }";

fn session(app: &TestApp, credits: &str, key: &str) -> Value {
    json!({ "accountId": app.team.id(), "memberId": app.team.member.id(), "title": "Lesson", "credits": credits,
        "startsAt": app.in_minutes(1), "endsAt": app.in_minutes(2), "idempotencyKey": key })
}

async fn book(app: &TestApp, input: Value) -> Value {
    app.platform.query(BOOK, json!({ "input": input })).await.only_field()
}

#[tokio::test]
async fn a_booking_that_lacks_credits_is_refused_with_figures() {
    let app = TestApp::start().await;
    app.top_up(60).await;
    assert_eq!(book(&app, session(&app, "45", "a")).await["userErrors"], json!([]));
    let refused = book(&app, session(&app, "20", "b")).await;
    let error = &refused["userErrors"][0];
    assert_eq!(
        [
            &error["code"],
            &error["missingCredits"],
            &error["available"],
            &error["held"]
        ],
        [&json!("INSUFFICIENT_CREDITS"), &json!("5"), &json!("15"), &json!("45")]
    );
    assert_eq!(
        refused["balance"],
        json!({ "posted": "60", "held": "45", "available": "15" })
    );
    let message = error["message"].as_str().expect("words");
    assert!(
        message.contains("15 are available") && message.contains("45 are held"),
        "{message}"
    );
    app.finish().await;
}

#[tokio::test]
async fn a_key_is_bound_to_the_member_on_whose_behalf_it_was_used() {
    let app = TestApp::start().await;
    app.top_up(60).await;
    let acting = |member: &str, key: &str| {
        let mut input = session(&app, "4", key);
        input["actingMemberId"] = json!(member);
        input
    };
    let (one, other) = (app.team.owner.id(), app.team.admin.id());
    assert_eq!(book(&app, acting(&one, "k")).await["userErrors"], json!([]));
    assert_eq!(book(&app, acting(&one, "k")).await["userErrors"], json!([]), "replayed");
    for input in [acting(&other, "k"), session(&app, "4", "k")] {
        let refused = book(&app, input).await;
        assert_eq!(refused["userErrors"][0]["code"], "IDEMPOTENCY_KEY_REUSED");
    }
    let held = book(&app, session(&app, "1", "other")).await["balance"]["held"].clone();
    assert_eq!(held, "5", "one session of 4, and this one");
    app.finish().await;
}

#[tokio::test]
async fn more_holds_than_one_command_deals_with_are_released_before_a_booking_is_refused() {
    let app = TestApp::start().await;
    app.top_up(620).await;
    let items: Vec<Value> = (0..620)
        .map(|n| {
            let mut item = session(&app, "1", &format!("s{n}"));
            item.as_object_mut().expect("an object").remove("accountId");
            item
        })
        .collect();
    let mutation = "mutation($input: BookSessionsInput!) { bookSessions(input: $input) { results { userErrors { code } } userErrors { code } } }";
    for chunk in items.chunks(100) {
        let input = json!({ "input": { "accountId": app.team.id(), "items": chunk } });
        let answer = app.platform.query(mutation, input).await;
        assert!(answer.body.get("errors").is_none(), "{}", answer.body);
    }
    // The grace of each has passed, and no sweeper has come by.
    app.advance(Duration::from_hours(24 * 4));
    assert_eq!(book(&app, session(&app, "600", "big")).await["userErrors"], json!([]));
    app.finish().await;
}

#[tokio::test]
async fn numbers_that_would_lose_digits_are_refused_and_others_kept() {
    let app = TestApp::start().await;
    app.top_up(60).await;
    let mut input = session(&app, "1", "a");
    input["metadata"] = json!({ "order": 18_446_744_073_709_551_615_u64, "share": 0.25 });
    let kept = book(&app, input.clone()).await;
    assert_eq!(kept["session"]["metadata"], input["metadata"], "{kept}");
    let body = serde_json::to_string(&json!({ "query": BOOK, "variables": { "input": session(&app, "1", "b") } }))
        .expect("text")
        .replace(
            "\"title\":",
            "\"metadata\":{\"orders\":[123456789012345678901234567890]},\"title\":",
        );
    let request = app
        .platform
        .post("/graphql")
        .header("content-type", "application/json")
        .body(body);
    let answer = app.platform.send(request).await;
    let error = &answer.only_field()["userErrors"][0];
    assert_eq!(
        (&error["code"], &error["field"]),
        (&json!("VALIDATION"), &json!(["metadata"])),
        "{error}"
    );
    app.finish().await;
}

#[tokio::test]
async fn a_list_that_is_cut_says_how_many_there_are() {
    let app = TestApp::start().await;
    let buyer = Buyer::of(&app);
    let paid = buyer.buy_with("card_ok", "150").await;
    let log = "{ account { creditLog(order: OLDEST_FIRST) { nodes { id } } } }";
    let log = buyer.client.query(log, json!({})).await;
    let entry = log.at("/account/creditLog/nodes/0/id").clone();
    for n in 0..108 {
        let input = json!({ "accountId": app.team.id(), "amount": "-1", "description": "Part", "reversesEntryId": entry,
            "idempotencyKey": format!("part {n}") });
        app.platform.accept("adjust_credits", input).await;
    }
    let query = "query($id: ID!) { node(id: $id) { ... on TopUp { entryCount entries { id } entry { reversedByCount reversedBy { id } } } } }";
    let answer = buyer.client.query(query, json!({ "id": paid["id"] })).await;
    let top_up = answer.only_field();
    let length = |list: &Value| list.as_array().map_or(0, Vec::len);
    assert_eq!((&top_up["entryCount"], length(&top_up["entries"])), (&json!(109), 100));
    let entry = &top_up["entry"];
    assert_eq!(
        (&entry["reversedByCount"], length(&entry["reversedBy"])),
        (&json!(108), 100)
    );
    app.finish().await;
}

#[tokio::test]
async fn what_costs_nothing_is_not_advised_to_be_bought_in_larger_numbers() {
    let app = TestApp::start().await;
    let query = "mutation($input: UpdateAccountInput!) { updateAccount(input: $input) { userErrors { code } } }";
    let input = json!({ "accountId": app.team.id(), "creditPrice": "0" });
    let changed = app.platform.query(query, json!({ "input": input })).await.only_field();
    assert_eq!(changed["userErrors"], json!([]));
    let buyer = Buyer::of(&app);
    buyer.add_card("card_ok").await;
    let (code, payload) = buyer
        .refuse(
            "createTopUp",
            "topUp { id }",
            json!({ "credits": "20", "idempotencyKey": "a" }),
        )
        .await;
    let message = payload["userErrors"][0]["message"].as_str().expect("words");
    assert!(code == "VALIDATION" && !message.contains("buy at least"), "{message}");
    app.finish().await;
}
