//! Figures in refusals and lists, and what is stored of inputs.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{Socket, TestApp};
use crate::top_ups::Buyer;

const BOOK: &str = "mutation($input: BookSessionInput!) { bookSession(input: $input) { session { id metadata } userErrors { code } } }";

fn session(app: &TestApp, credits: &str, key: &str) -> Value {
    app.booking(credits, key, 1..2)
}

async fn book(app: &TestApp, input: Value) -> Value {
    let fields =
        "session { id metadata } balance { posted held available } userErrors { missingCredits available held }";
    app.platform.mutate("bookSession", fields, input).await
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
    assert!(message.contains("missing 5, available 15, held 45"), "{message}");
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
    for chunk in items.chunks(100) {
        let input = json!({ "accountId": app.team.id(), "items": chunk });
        app.platform
            .mutate("bookSessions", "results { userErrors { code } }", input)
            .await;
    }
    // The grace period of each has passed, and no sweeper has run.
    app.advance(Duration::from_hours(24 * 4));
    assert_eq!(book(&app, session(&app, "600", "big")).await["userErrors"], json!([]));
    app.finish().await;
}

/// Metadata is stored or refused, never altered, whichever way it is sent.
#[tokio::test]
async fn numbers_that_would_lose_digits_are_refused_and_others_kept() {
    let app = TestApp::start().await;
    app.top_up(60).await;
    let booked = |key: &str, metadata: &str| {
        let variables = json!({ "input": session(&app, "1", key) }).to_string();
        let variables = variables.replace("\"title\":", &format!("\"metadata\":{metadata},\"title\":"));
        format!("{{\"query\":{},\"variables\":{variables}}}", json!(BOOK))
    };
    let send = async |body: String| {
        let request = app.platform.post("/graphql").header("content-type", "application/json");
        app.platform.send(request.body(body)).await
    };
    let kept = r#"{"order":18446744073709551615,"least":-9223372036854775808,"share":0.25,"sum":0.30000000000000004,"large":1e20}"#;
    let answer = send(booked("a", kept)).await;
    assert_eq!(
        answer.at("/bookSession/session/metadata"),
        &serde_json::from_str::<Value>(kept).expect("JSON")
    );
    for (metadata, field) in [
        (
            r#"{"orders":[1,123456789012345678901234567890]}"#,
            "input.metadata.orders.1",
        ),
        (r#"{"share":0.10000000000000000001}"#, "input.metadata.share"),
        ("18446744073709551617", "input.metadata"),
        ("1e-400", "input.metadata"),
    ] {
        let refused = send(booked("b", metadata)).await;
        assert_eq!(refused.error_code(), "BAD_REQUEST", "{metadata}");
        let error = &refused.body["errors"][0];
        assert_eq!(error["extensions"]["field"], field, "{error}");
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|text| text.contains(field) && text.contains("as a string")),
            "{error}"
        );
    }
    let written = format!(
        "mutation {{ bookSession(input: {{ accountId: \"{}\", memberId: \"{}\", title: \"Chess\", credits: \"1\", metadata: {{ share: 3.14159265358979323846 }},
            startsAt: \"2026-03-02T09:00:00Z\", endsAt: \"2026-03-02T10:00:00Z\", idempotencyKey: \"c\" }}) {{ session {{ id }} }} }}",
        app.team.id(),
        app.team.member.id()
    );
    let refused = app.platform.query(&written, json!({})).await;
    let extensions = json!({ "code": "BAD_REQUEST", "field": "share" });
    assert_eq!(refused.body["errors"][0]["extensions"], extensions, "{}", refused.body);
    let mut socket = Socket::ready(app.platform.base(), app.platform.credential().expect("a key")).await;
    let payload = booked("d", r#"{"share":0.10000000000000000001}"#);
    let subscribe = format!(r#"{{"id":"1","type":"subscribe","payload":{payload}}}"#);
    socket.send_frame(Message::text(subscribe)).await;
    let refused = socket.message().await;
    let field = &refused["payload"][0]["extensions"]["field"];
    assert_eq!(
        (&refused["type"], field),
        (&json!("error"), &json!("input.metadata.share"))
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
    let input = json!({ "accountId": app.team.id(), "creditPrice": "0" });
    let changed = app.platform.mutate("updateAccount", "", input).await;
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

/// Purchases of one millisecond are spent in the order of their arrival, on both databases: their ids have that order too.
#[tokio::test]
async fn lots_of_one_instant_are_spent_in_the_order_of_purchase() {
    let app = TestApp::start().await;
    let bought: Vec<i64> = (1..=12).map(|number| 7 + number * 5 % 12).collect();
    for &credits in &bought {
        app.top_up(credits).await;
    }
    let (mut spent, mut number) = (0, 0);
    let total: i64 = bought.iter().sum();
    while spent < total {
        let amount = (total - spent).min(9);
        let input = json!({ "accountId": app.team.id(), "amount": format!("-{amount}"), "description": "Spent",
            "idempotencyKey": format!("spend {number}") });
        app.platform.accept("adjust_credits", input).await;
        spent += amount;
        number += 1;
        let lots =
            "{ account { creditLots(first: 100, includeSpent: true) { nodes { granted remaining createdAt } } } }";
        let lots = app.team.owner.client.query(lots, json!({})).await;
        let lots = lots.at("/account/creditLots/nodes").as_array().expect("lots").clone();
        assert!(
            lots.iter().all(|lot| lot["createdAt"] == lots[0]["createdAt"]),
            "one instant"
        );
        let mut left = spent;
        let expected: Vec<(String, String)> = bought
            .iter()
            .map(|&credits| {
                let taken = left.min(credits);
                left -= taken;
                (credits.to_string(), (credits - taken).to_string())
            })
            .collect();
        let text = |value: &Value| value.as_str().expect("an amount").to_owned();
        let seen: Vec<_> = lots
            .iter()
            .map(|lot| (text(&lot["granted"]), text(&lot["remaining"])))
            .collect();
        assert_eq!(seen, expected, "after {spent}");
    }
    app.finish().await;
}
