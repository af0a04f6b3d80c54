//! Sessions, credits and the credit log over the API.

use std::collections::HashSet;
use std::time::Duration;

use ledgerbell::primitives::actor::Permission;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Client, TestApp, with};

const BOOK: &str = "session { id status held externalId metadata member { name } } balance { posted held available version } entry { id } \
    account { id } liveCursor userErrors { missingCredits retryAfterSeconds }";
const COMPLETE: &str = "session { id status charged } entry { amount kind actor { kind label member { name } } member { name } } balance { \
    posted held }";
const GRANT: &str = "entry { sequence amount }";

fn booking(app: &TestApp, key: &str, credits: &str) -> Value {
    let named = json!({ "title": format!("Lesson {key}"), "externalId": format!("lesson-{key}") });
    with(app.booking(credits, key, 60..120), named)
}

/// Books and completes this number of sessions.
async fn use_credits(app: &TestApp, sessions: usize) {
    for number in 0..sessions {
        let key = format!("used-{number}");
        let booked = app
            .platform
            .mutate("bookSession", BOOK, booking(app, &key, "1.5"))
            .await;
        assert_eq!(booked["userErrors"], json!([]));
        let input = json!({ "sessionId": booked["session"]["id"], "idempotencyKey": format!("done-{number}") });
        let completed = app.platform.mutate("completeSession", COMPLETE, input).await;
        assert_eq!(completed["userErrors"], json!([]));
        app.advance(Duration::from_mins(1));
    }
}

#[tokio::test]
async fn a_session_is_booked_completed_and_shown_in_the_log() {
    let app = TestApp::start().await;
    app.top_up(10).await;
    let input = with(booking(&app, "a", "2.5"), json!({ "metadata": { "room": 7 } }));
    let booked = app.platform.mutate("bookSession", BOOK, input.clone()).await;
    assert_eq!(booked["userErrors"], json!([]));
    assert_eq!(booked["session"]["status"], "BOOKED");
    assert_eq!(booked["session"]["metadata"], json!({ "room": 7 }));
    assert_eq!(booked["session"]["member"]["name"], "Mia");
    assert_eq!(
        [
            &booked["balance"]["posted"],
            &booked["balance"]["held"],
            &booked["balance"]["available"]
        ],
        ["10", "2.5", "7.5"]
    );
    assert!(booked["liveCursor"].is_string());

    let replayed = app.platform.mutate("bookSession", BOOK, input.clone()).await;
    assert_eq!(replayed["session"]["id"], booked["session"]["id"]);
    assert_eq!(replayed["balance"]["version"], booked["balance"]["version"]);
    let reused = app
        .platform
        .mutate("bookSession", BOOK, with(input, json!({ "credits": "3" })))
        .await;
    assert_eq!(reused["userErrors"][0]["code"], "IDEMPOTENCY_KEY_REUSED");
    assert!(reused["session"].is_null());
    assert_eq!(reused["balance"], booked["balance"], "a refusal has the balance too");

    let done = json!({ "accountId": app.team.id(), "externalId": "lesson-a", "credits": "2", "idempotencyKey": "b" });
    let completed = app.platform.mutate("completeSession", COMPLETE, done).await;
    assert_eq!(completed["session"]["status"], "COMPLETED");
    assert_eq!(completed["entry"]["amount"], "-2");
    assert_eq!(completed["entry"]["actor"]["label"], "Test");
    assert_eq!(completed["entry"]["member"]["name"], "Mia");
    assert_eq!(completed["balance"], json!({ "posted": "8", "held": "0" }));

    let again = json!({ "sessionId": booked["session"]["id"], "idempotencyKey": "c" });
    let again = app.platform.mutate("completeSession", COMPLETE, again).await;
    assert_eq!(again["userErrors"][0]["code"], "SESSION_ALREADY_RESOLVED");
    assert_eq!(
        again["session"]["status"], "COMPLETED",
        "the payload has it as it is now"
    );
}

#[tokio::test]
async fn refusals_name_their_code_and_field() {
    let app = TestApp::start().await;
    app.top_up(1).await;
    let other = app.another_team("other").await;
    let key = app.key(&[Permission::BookSessions, Permission::ReadCreditLog]).await;
    let cases = [
        (
            "too few credits",
            json!({ "credits": "1.0001" }),
            "INSUFFICIENT_CREDITS",
            "credits",
        ),
        ("nothing", json!({ "credits": "0" }), "VALIDATION", "credits"),
        ("less than nothing", json!({ "credits": "-1" }), "VALIDATION", "credits"),
        ("a null member", json!({ "memberId": null }), "VALIDATION", "memberId"),
        (
            "another account's member",
            json!({ "memberId": other.member.id() }),
            "NOT_FOUND",
            "memberId",
        ),
        (
            "an id of another type",
            json!({ "memberId": app.team.id() }),
            "NOT_FOUND",
            "memberId",
        ),
        ("another account", json!({ "accountId": other.id() }), "NOT_FOUND", ""),
        (
            "no key",
            json!({ "idempotencyKey": "" }),
            "VALIDATION",
            "idempotencyKey",
        ),
        (
            "a long title",
            json!({ "title": "x".repeat(201) }),
            "VALIDATION",
            "title",
        ),
        (
            "an end before the start",
            json!({ "endsAt": app.in_minutes(30) }),
            "VALIDATION",
            "endsAt",
        ),
        (
            "large metadata",
            json!({ "metadata": "x".repeat(5_000) }),
            "VALIDATION",
            "metadata",
        ),
    ];
    for (what, changes, code, field) in cases {
        let payload = key
            .mutate("bookSession", BOOK, with(booking(&app, "k", "1"), changes))
            .await;
        assert_eq!(payload["userErrors"][0]["code"], code, "{what}: {payload}");
        if !field.is_empty() {
            assert_eq!(payload["userErrors"][0]["field"][0], field, "{what}: {payload}");
        }
        assert!(payload["session"].is_null(), "{what}");
    }
    let mut without_member = booking(&app, "k", "1");
    without_member.as_object_mut().expect("an object").remove("memberId");
    let payload = key.mutate("bookSession", BOOK, without_member.clone()).await;
    assert_eq!(
        payload["userErrors"][0]["field"],
        json!(["memberId"]),
        "a key books for a member"
    );
    let own = app.team.owner.client.mutate("bookSession", BOOK, without_member).await;
    assert_eq!(own["userErrors"][0]["code"], "FORBIDDEN", "a member does not book");
    let missing = key.mutate("bookSession", BOOK, booking(&app, "l", "1.5")).await;
    assert_eq!(missing["userErrors"][0]["missingCredits"], "0.5");
}

#[tokio::test]
async fn amounts_that_are_none_are_refused_by_field() {
    let app = TestApp::start().await;
    for credits in [
        json!(1),
        json!(1.5),
        json!("1e3"),
        json!("0.00001"),
        json!("NaN"),
        json!("1000000000.1"),
        json!(true),
    ] {
        let input = with(booking(&app, "k", "1"), json!({ "credits": credits }));
        let answer = app.platform.send_mutation("bookSession", BOOK, input).await;
        assert_eq!(answer.error_code(), "BAD_REQUEST", "{credits}");
        let message = answer.body["errors"][0]["message"].as_str().expect("a message");
        assert!(
            message.contains("input.credits") && message.contains("at most 4"),
            "{message}"
        );
    }
    let input = with(booking(&app, "k", "1"), json!({ "startsAt": "yesterday" }));
    let answer = app.platform.send_mutation("bookSession", BOOK, input).await;
    assert!(
        answer.body["errors"][0]["message"]
            .as_str()
            .expect("a message")
            .contains("input.startsAt")
    );
}

#[tokio::test]
async fn a_list_of_bookings_has_an_answer_for_each() {
    let app = TestApp::start().await;
    app.top_up(3).await;
    let fields = "results { session { id title } userErrors { code field } } account { balance { held } } liveCursor";
    let items = [
        booking(&app, "a", "1"),
        booking(&app, "b", "5"),
        booking(&app, "a", "1"),
        with(booking(&app, "c", "1"), json!({ "memberId": null })),
        booking(&app, "d", "1"),
    ];
    let payload = app
        .platform
        .mutate("bookSessions", fields, json!({ "items": items }))
        .await;
    let results = payload["results"].as_array().expect("results");
    let codes: Vec<&Value> = results.iter().map(|result| &result["userErrors"][0]["code"]).collect();
    assert_eq!(
        codes,
        [
            &Value::Null,
            &json!("INSUFFICIENT_CREDITS"),
            &Value::Null,
            &json!("VALIDATION"),
            &Value::Null
        ]
    );
    assert_eq!(results[1]["userErrors"][0]["field"], json!(["items", "1", "credits"]));
    assert_eq!(
        results[0]["session"]["id"], results[2]["session"]["id"],
        "equal keys of one list are one booking"
    );
    assert_eq!(payload["account"]["balance"]["held"], "2");
    let many: Vec<Value> = (0..101).map(|number| booking(&app, &number.to_string(), "1")).collect();
    let answer = app
        .platform
        .send_mutation("bookSessions", fields, json!({ "items": many }))
        .await;
    assert_eq!(answer.error_code(), "BAD_REQUEST");
}

#[tokio::test]
async fn the_log_is_paged_both_ways_and_cursors_belong_to_their_list() {
    let app = TestApp::start().await;
    app.top_up(100).await;
    use_credits(&app, 7).await;
    let client = &app.team.owner.client;
    let query = "query ($first: Int, $after: String, $last: Int, $before: String, $order: SortOrder, $filter: CreditLogFilter) {
        account { creditLog(first: $first, after: $after, last: $last, before: $before, order: $order, filter: $filter) {
            nodes { sequence } edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
            totals { scope count added deducted net } } } }";
    let page = async |variables: Value| client.query(query, variables).await;
    let sequences = |log: &Value| -> Vec<i64> {
        let nodes = log["nodes"].as_array().expect("nodes").iter();
        nodes
            .map(|node| node["sequence"].as_str().expect("text").parse().expect("a number"))
            .collect()
    };
    let mut seen = Vec::new();
    let mut after = Value::Null;
    loop {
        let answer = page(json!({ "first": 3, "after": after })).await;
        let log = answer.at("/account/creditLog");
        seen.extend(sequences(log));
        if log["pageInfo"]["hasNextPage"] == json!(false) {
            break;
        }
        after = log["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(seen, [8, 7, 6, 5, 4, 3, 2, 1]);
    let last = page(json!({ "last": 2 })).await;
    assert_eq!(sequences(last.at("/account/creditLog")), [2, 1]);
    let before = &last.at("/account/creditLog")["pageInfo"]["startCursor"];
    let back = page(json!({ "last": 2, "before": before })).await;
    assert_eq!(sequences(back.at("/account/creditLog")), [4, 3]);
    let totals = page(json!({ "first": 0 })).await;
    assert_eq!(
        totals.at("/account/creditLog/totals"),
        &json!({ "scope": "ACCOUNT", "count": "8", "added": "100", "deducted": "10.5", "net": "89.5" })
    );
    for (what, variables) in [
        ("another order", json!({ "after": after, "order": "OLDEST_FIRST" })),
        (
            "another filter",
            json!({ "after": after, "filter": { "kinds": ["SESSION"] } }),
        ),
        ("garbage", json!({ "after": "garbage" })),
        ("both ways", json!({ "first": 1, "last": 1 })),
        ("less than none", json!({ "first": -1 })),
        (
            "an empty range",
            json!({ "filter": { "amount": { "min": "2", "max": "1" } } }),
        ),
    ] {
        assert_eq!(page(variables).await.error_code(), "BAD_REQUEST", "{what}");
    }
    let nothing = page(json!({ "filter": { "memberIds": [] } })).await;
    assert_eq!(nothing.at("/account/creditLog/totals/count"), "0");
    let unknown = page(json!({ "filter": { "memberIds": [app.team.id(), "nonsense"] } })).await;
    assert_eq!(unknown.at("/account/creditLog/totals/count"), "0");
}

#[tokio::test]
async fn a_page_with_everything_takes_a_fixed_number_of_statements() {
    let app = TestApp::start().await;
    app.top_up(100).await;
    app.top_up(100).await;
    use_credits(&app, 30).await;
    let query = "query ($first: Int) { account { creditLog(first: $first) { nodes {
        sequence amount actor { label member { name } } member { name } session { title member { name } }
        topUp { credits } account { name } } pageInfo { endCursor } } } }";
    let mut counted = HashSet::new();
    for first in [5, 10, 32] {
        let before = app.app().database().statements();
        let answer = app.team.owner.client.query(query, json!({ "first": first })).await;
        assert_eq!(
            answer.at("/account/creditLog/nodes").as_array().expect("nodes").len(),
            first
        );
        // The short pages have no top-up.
        counted.insert(app.app().database().statements() - before - u64::from(first == 32));
    }
    assert_eq!(counted.len(), 1, "{counted:?}");
    assert!(counted.iter().all(|statements| *statements <= 9), "{counted:?}");
}

#[tokio::test]
async fn a_plain_member_sees_their_own_and_is_told_so() {
    let app = TestApp::start().await;
    app.top_up(100).await;
    use_credits(&app, 2).await;
    let mut for_owner = booking(&app, "own", "1");
    for_owner["memberId"] = json!(app.team.owner.id());
    app.platform.mutate("bookSession", BOOK, for_owner).await;
    let mia = &app.team.member.client;
    let answer = mia
        .query(
            "{ account { balance { posted } eligibility { canBook }
                creditLog { nodes { kind member { name } lotDraws { amount } } totals { scope count } }
                sessions { nodes { member { name } } } } }",
            json!({}),
        )
        .await;
    assert_eq!(
        answer.at("/account/creditLog/totals"),
        &json!({ "scope": "MEMBER", "count": "2" })
    );
    assert_eq!(
        answer.at("/account/sessions/nodes").as_array().expect("sessions").len(),
        2
    );
    assert_eq!(answer.at("/account/creditLog/nodes/0/lotDraws"), &json!([]));
    for field in [
        "creditLots { nodes { id } }",
        "members { nodes { id } }",
        "topUps { nodes { id } }",
        "apiKeys { id }",
    ] {
        let answer = mia
            .query(&format!("{{ account {{ name field: {field} }} }}"), json!({}))
            .await;
        let account = json!({ "name": "The team", "field": null });
        assert_eq!(answer.at("/account"), &account, "{field} is null without an error");
    }
    let refused = mia.mutate("bookSession", BOOK, booking(&app, "mine", "1")).await;
    assert_eq!(refused["userErrors"][0]["code"], "FORBIDDEN");
    let refused = app
        .team
        .owner
        .client
        .mutate(
            "grantCredits",
            GRANT,
            json!({ "credits": "1", "description": "x", "idempotencyKey": "g" }),
        )
        .await;
    assert_eq!(refused["userErrors"][0]["code"], "FORBIDDEN");
}

#[tokio::test]
async fn another_accounts_things_do_not_exist() {
    let app = TestApp::start().await;
    app.top_up(10).await;
    use_credits(&app, 1).await;
    let other = app.another_team("other").await;
    let ids = app
        .team
        .owner
        .client
        .query(
            "{ account { id balance { id } creditLog(last: 2) { nodes { id } } sessions { nodes { id } } creditLots { nodes { id } }
                topUps { nodes { id } } members { nodes { id contact { id } } } } }",
            json!({}),
        )
        .await;
    let mut found = Vec::new();
    collect_ids(ids.data(), &mut found);
    assert!(found.len() >= 10, "{found:?}");
    let query = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }";
    let own = app.team.owner.client.query(query, json!({ "ids": found })).await;
    let given: Vec<&Value> = own
        .at("/nodes")
        .as_array()
        .expect("nodes")
        .iter()
        .map(|node| &node["id"])
        .collect();
    assert_eq!(given, found.iter().collect::<Vec<_>>());
    let key = app.key(&[Permission::ReadCreditLog]).await;
    assert!(
        key.query("query ($id: ID!) { node(id: $id) { id } }", json!({ "id": other.id() }))
            .await
            .at("/node")
            .is_null()
    );
    let theirs = other.owner.client.query(query, json!({ "ids": found })).await;
    assert!(
        theirs
            .at("/nodes")
            .as_array()
            .expect("nodes")
            .iter()
            .all(Value::is_null),
        "{}",
        theirs.body
    );
    let account = "query ($id: ID) { account(id: $id) { name } }";
    assert!(
        other
            .owner
            .client
            .query(account, json!({ "id": app.team.id() }))
            .await
            .at("/account")
            .is_null()
    );
    let completed = json!({ "sessionId": found.iter().find(|id| id.as_str().is_some_and(|id| id.starts_with("ses_"))), "idempotencyKey": "x" });
    let refused = other.owner.client.mutate("completeSession", COMPLETE, completed).await;
    assert_eq!(refused["userErrors"][0]["code"], "NOT_FOUND");
}

fn collect_ids(value: &Value, found: &mut Vec<Value>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == "id" {
                    found.push(value.clone());
                }
                collect_ids(value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_ids(item, found)),
        _ => {}
    }
}

#[tokio::test]
async fn a_live_cursor_stands_before_the_rest_of_its_response() {
    let app = TestApp::start().await;
    app.top_up(10).await;
    let query = "query ($id: ID) { account(id: $id) { liveCursor balance { version } } }";
    let first = app.team.owner.client.query(query, json!({})).await;
    let same = app.platform.query(query, json!({ "id": app.team.id() })).await;
    assert_eq!(first.at("/account/liveCursor"), same.at("/account/liveCursor"));
    let booked = app.platform.mutate("bookSession", BOOK, booking(&app, "a", "1")).await;
    let later = app.team.owner.client.query(query, json!({})).await;
    assert_ne!(first.at("/account/liveCursor"), later.at("/account/liveCursor"));
    assert_eq!(&booked["liveCursor"], later.at("/account/liveCursor"));
}

#[tokio::test]
async fn usage_is_grouped_by_every_grouping() {
    let app = TestApp::start().await;
    app.top_up(100).await;
    use_credits(&app, 3).await;
    let query = "query ($by: [UsageGrouping!]!) { account { creditUsage(groupBy: $by) { nodes {
        key member { name } kind actor { label } date periodStart periodEnd totals { count net } closingBalance } } } }";
    for (by, groups) in [
        ("MEMBER", 2),
        ("KIND", 2),
        ("ACTOR", 2),
        ("HOUR", 1),
        ("DAY", 1),
        ("WEEK", 1),
        ("MONTH", 1),
    ] {
        let answer = app.team.owner.client.query(query, json!({ "by": [by] })).await;
        let nodes = answer.at("/account/creditUsage/nodes").as_array().expect("groups");
        assert_eq!(nodes.len(), groups, "{by}: {nodes:?}");
    }
    let days = app.team.owner.client.query(query, json!({ "by": ["DAY"] })).await;
    assert_eq!(days.at("/account/creditUsage/nodes/0/date"), "2026-03-02");
    assert_eq!(days.at("/account/creditUsage/nodes/0/closingBalance"), "95.5");
    let refused = app
        .team
        .owner
        .client
        .query(query, json!({ "by": ["DAY", "WEEK"] }))
        .await;
    assert_eq!(refused.error_code(), "BAD_REQUEST");
}

#[tokio::test]
async fn an_export_is_fetched_by_its_link_for_a_quarter_of_an_hour() {
    let app = TestApp::start().await;
    app.top_up(100).await;
    let mut formula = booking(&app, "a", "1");
    formula["title"] = json!("=SUM(\"B2\")");
    let booked = app.platform.mutate("bookSession", BOOK, formula).await;
    let input = json!({ "sessionId": booked["session"]["id"], "idempotencyKey": "b" });
    app.platform.mutate("completeSession", COMPLETE, input).await;
    let query = "query ($format: ExportFormat, $filter: CreditLogFilter) { account { creditLogExport(format: $format, filter: $filter) { url expiresAt } } }";
    let link = async |client: &Client, variables: Value| {
        let answer = client.query(query, variables).await;
        answer
            .at("/account/creditLogExport/url")
            .as_str()
            .expect("a link")
            .to_owned()
    };
    let owner = &app.team.owner.client;
    let url = link(owner, json!({})).await;
    let (_, token) = url.split_once("token=").expect("a token");
    let claims = token.split('.').next().expect("claims").as_bytes();
    let claims = data_encoding::BASE64URL_NOPAD.decode(claims).expect("base64");
    let claims: Value = serde_json::from_slice(&claims).expect("JSON");
    assert_eq!(claims["account"], json!(app.team.id()), "public ids alone");
    assert_eq!(claims["requester"], json!(app.team.owner.id()));
    let fetch = async |url: &str| {
        let response = app.anonymous().get(url).send().await.expect("an answer");
        (response.status(), response.text().await.expect("a body"))
    };
    let (status, csv) = fetch(&url).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(csv.lines().count(), 3, "{csv}");
    assert!(csv.starts_with("\u{feff}sequence,id,occurredAt,localTime,timeZone,kind,amount"));
    assert!(csv.contains(",-1,") && csv.contains("\"'=SUM("), "{csv}");
    let lines = link(owner, json!({ "format": "JSONL", "filter": { "kinds": ["SESSION"] } })).await;
    let (_, lines) = fetch(&lines).await;
    let shown: Value = serde_json::from_str(lines.trim_end()).expect("one line of JSON");
    assert_eq!(
        [&shown["amount"], &shown["member"], &shown["kind"]],
        ["-1", "Mia", "SESSION"]
    );
    let own = link(&app.team.member.client, json!({})).await;
    assert_eq!(
        fetch(&own).await.1.lines().count(),
        2,
        "a member's file has their own entries"
    );
    assert_eq!(fetch(&format!("{url}x")).await.0, StatusCode::FORBIDDEN);
    let leaving = json!({ "memberId": app.team.member.id() });
    owner.mutate("removeMember", "member { removedAt }", leaving).await;
    assert_eq!(fetch(&own).await.0, StatusCode::FORBIDDEN, "rights are looked at again");
    app.advance(Duration::from_mins(15));
    assert_eq!(fetch(&url).await.0, StatusCode::FORBIDDEN);
}
