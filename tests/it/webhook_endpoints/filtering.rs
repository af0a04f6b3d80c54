//! Endpoints that get only the entries that a filter lists.

use std::time::Duration;

use ledgerbell::primitives::actor::Permission;
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};

use super::receiver::{Received, Receiver};
use super::{about, code, deliver, endpoint, made_of, start};
use crate::harness::{Client, TestApp, with};

const FILTER: &str = "entryFilter { actorKinds actorIds dates { from to timezone } kinds direction memberIds sessionIds
    topUpIds occurredAt { from before } amount { min max } search }";

/// Creates an endpoint of entries with this filter.
async fn filtered(app: &TestApp, url: &str, filter: &Value) -> String {
    let with = json!({ "eventTypes": ["CREDIT_ENTRY_POSTED"], "entryFilter": filter });
    endpoint(app, url, &with).await.id
}

/// Posts entries of several kinds, amounts and members.
async fn post(app: &TestApp) {
    for (key, credits) in [("a", "5"), ("b", "50"), ("c", "20")] {
        let input = json!({ "accountId": app.team.id(), "credits": credits, "description": format!("Gift {key}"),
            "idempotencyKey": key });
        app.platform.apply("grantCredits", "entry { id }", input).await;
    }
    for (member, name, credits) in [(&app.team.member, "mia", "3"), (&app.team.admin, "adam", "12")] {
        let booking = with(
            app.booking(credits, &format!("book {name}"), 1..2),
            json!({ "accountId": app.team.id(), "memberId": member.id(), "externalId": name, "title": "Größe M" }),
        );
        app.platform.accept("book_session", booking).await;
        let complete =
            json!({ "accountId": app.team.id(), "externalId": name, "idempotencyKey": format!("end {name}") });
        app.platform.accept("complete_session", complete).await;
    }
    let input =
        json!({ "accountId": app.team.id(), "amount": "-30", "description": "Correction", "idempotencyKey": "d" });
    app.platform.accept("adjust_credits", input).await;
}

/// The ids of the entries that the credit log lists, oldest first.
async fn listed(app: &TestApp, filter: &Value) -> Vec<Value> {
    let query = "query ($id: ID, $filter: CreditLogFilter) { account(id: $id) {
        creditLog(first: 100, order: OLDEST_FIRST, filter: $filter) { nodes { id } } } }";
    let variables = json!({ "id": app.team.id(), "filter": filter });
    let answer = app.platform.query(query, variables).await;
    let nodes = answer.at("/account/creditLog/nodes").as_array().expect("a list");
    nodes.iter().map(|node| node["id"].clone()).collect()
}

/// The messages that a path has got, in the order of their chain: each is followed by the one that names it as the message before.
fn chained(receiver: &Receiver, path: &str) -> Vec<Value> {
    let mut left: Vec<Value> = receiver.received(path).iter().map(Received::json).collect();
    let mut chain: Vec<Value> = Vec::new();
    while !left.is_empty() {
        let before = chain
            .last()
            .map_or(Value::Null, |last| last["data"]["liveCursor"].clone());
        let next = left.iter().position(|one| one["data"]["previousLiveCursor"] == before);
        chain.push(left.remove(next.unwrap_or_else(|| panic!("a gap after {before} in {left:?}"))));
    }
    chain
}

fn entries_of(messages: &[Value]) -> Vec<Value> {
    messages.iter().map(|one| one["data"]["entryId"].clone()).collect()
}

#[tokio::test]
async fn an_endpoint_gets_what_the_credit_log_lists_and_what_is_left_out_is_no_gap() {
    let (app, receiver) = (start().await, Receiver::start().await);
    let filters = [
        json!({ "memberIds": [app.team.member.id()] }),
        json!({ "direction": "DEDUCTED", "amount": { "min": "10" } }),
        json!({ "kinds": ["GRANT"], "search": "gift b" }),
        json!({ "kinds": ["SESSION"], "search": "GRÖSSE" }),
        json!({ "actorKinds": ["API_KEY"], "amount": { "max": "20" } }),
        json!({ "dates": { "from": "2026-03-02", "to": "2026-03-02" } }),
        json!({ "occurredAt": { "before": app.in_minutes(-1) } }),
    ];
    for (number, filter) in filters.iter().enumerate() {
        filtered(&app, &receiver.url(&format!("/{number}")), filter).await;
    }
    post(&app).await;
    let late = filtered(&app, &receiver.url("/late"), &filters[1]).await;
    deliver(&app).await;
    let mut counts = Vec::new();
    for (number, filter) in filters.iter().enumerate() {
        let got = entries_of(&chained(&receiver, &format!("/{number}")));
        assert_eq!(got, listed(&app, filter).await, "{filter}");
        counts.push(got.len());
    }
    assert_eq!(counts, [1, 2, 1, 2, 4, 6, 0]);
    // A replay of everything sends the same.
    app.advance(Duration::from_millis(1));
    let owner = &app.team.owner.client;
    let received = receiver.received("/late").len();
    let begin = app
        .platform
        .query(
            "query ($id: ID) { account(id: $id) { liveCursor } }",
            json!({ "id": app.team.id() }),
        )
        .await
        .at("/account/liveCursor")
        .clone();
    let none = about(owner, "replayWebhooks", &late, &json!({ "after": begin })).await;
    assert_eq!(none["messageCount"], 0, "{none}");
    let first = chained(&receiver, "/5")[0]["data"]["liveCursor"].clone();
    let replayed = about(owner, "replayWebhooks", &late, &json!({ "after": first })).await;
    assert_eq!(replayed["messageCount"], 2, "{replayed}");
    deliver(&app).await;
    let mut got: Vec<Value> = receiver.received("/late")[received..]
        .iter()
        .map(Received::json)
        .collect();
    got.sort_by_key(|one| one["data"]["previousLiveCursor"] != first);
    assert_eq!(entries_of(&got), listed(&app, &filters[1]).await);
}

#[tokio::test]
async fn a_filter_is_kept_as_it_was_given_until_it_is_changed() {
    let app = start().await;
    let owner = &app.team.owner.client;
    let key = json!({ "name": "Books", "permissions": ["READ_CREDIT_LOG"] });
    let own = app
        .team
        .owner
        .client
        .apply("createApiKey", "apiKey { id }", key.clone())
        .await;
    let platform = app.platform.apply("createApiKey", "apiKey { id }", key).await;
    let mut actors = [
        json!(app.team.owner.id()),
        own["apiKey"]["id"].clone(),
        platform["apiKey"]["id"].clone(),
    ];
    let top_up = app.top_up(3).await;
    let full = json!({ "actorKinds": ["MEMBER", "API_KEY"], "actorIds": actors,
        "dates": { "from": "2026-03-01", "to": null, "timezone": "Europe/Berlin" }, "kinds": ["TOP_UP"],
        "direction": "ADDED", "memberIds": [app.team.member.id()], "sessionIds": null,
        "topUpIds": [top_up.id.global(app.team.account.id).to_string()],
        "occurredAt": { "from": "2026-03-01T00:00:00.000Z", "before": null }, "amount": { "min": "0.5", "max": null },
        "search": "Größe co-op" });
    let id = filtered(&app, "https://example.com/hooks", &full).await;
    let shown = |fields: &'static str| {
        let (query, id) = (
            format!("query ($id: ID!) {{ node(id: $id) {{ ... on WebhookEndpoint {{ {fields} }} }} }}"),
            id.clone(),
        );
        async move { owner.query(&query, json!({ "id": id })).await.at("/node").clone() }
    };
    let mut before = shown(FILTER).await["entryFilter"].clone();
    let sorted = |ids: &mut [Value]| ids.sort_by_key(ToString::to_string);
    sorted(&mut actors);
    sorted(before["actorIds"].as_array_mut().expect("a list"));
    let mut expected = full.clone();
    expected["actorIds"] = json!(actors);
    assert_eq!(before, expected);
    // What is shown may be sent again: nothing changes.
    let same = about(owner, "updateWebhookEndpoint", &id, &json!({ "entryFilter": before })).await;
    assert_eq!(same["webhookEndpoint"]["version"], 1, "{same}");
    about(owner, "updateWebhookEndpoint", &id, &json!({ "description": "Books" })).await;
    let after = shown("version entryFilter { search }").await;
    assert_eq!(
        after,
        json!({ "version": 2, "entryFilter": { "search": "Größe co-op" } }),
        "it is kept"
    );
    let change = json!({ "entryFilter": { "direction": "DEDUCTED" } });
    about(owner, "updateWebhookEndpoint", &id, &change).await;
    let after = shown("entryFilter { direction search }").await;
    assert_eq!(
        after,
        json!({ "entryFilter": { "direction": "DEDUCTED", "search": null } }),
        "as a whole"
    );
    for none in [json!(null), json!({}), json!({ "search": " -- ", "dates": {} })] {
        about(owner, "updateWebhookEndpoint", &id, &change).await;
        about(owner, "updateWebhookEndpoint", &id, &json!({ "entryFilter": none })).await;
        assert_eq!(
            shown("entryFilter { search }").await["entryFilter"],
            Value::Null,
            "{none}"
        );
    }
}

async fn endpoints(client: &Client) -> Value {
    let query = format!("{{ account {{ webhookEndpoints {{ id version eventTypes {FILTER} }} }} }}");
    client
        .query(&query, json!({}))
        .await
        .at("/account/webhookEndpoints")
        .clone()
}

#[tokio::test]
async fn a_filter_that_makes_no_sense_is_refused() {
    let app = start().await;
    let other = app.another_team("other").await;
    let owner = &app.team.owner.client;
    let entries = json!(["CREDIT_ENTRY_POSTED"]);
    let filter = json!({ "direction": "ADDED" });
    let id = filtered(&app, "https://example.com/hooks", &filter).await;
    let before = endpoints(owner).await;
    let many: Vec<String> = vec![app.team.member.id(); 101];
    let foreign = json!([app.team.member.id(), other.member.id()]);
    for (types, filter, field) in [
        (json!([]), filter.clone(), json!(["entryFilter"])),
        (
            json!(["CREDIT_ENTRY_POSTED", "SESSION_UPDATED"]),
            filter.clone(),
            json!(["entryFilter"]),
        ),
        (json!(["SESSION_UPDATED"]), filter.clone(), json!(["entryFilter"])),
        (
            entries.clone(),
            json!({ "memberIds": foreign }),
            json!(["entryFilter", "memberIds"]),
        ),
        (
            entries.clone(),
            json!({ "actorIds": foreign }),
            json!(["entryFilter", "actorIds"]),
        ),
        (
            entries.clone(),
            json!({ "sessionIds": [app.team.member.id()] }),
            json!(["entryFilter", "sessionIds"]),
        ),
        (
            entries.clone(),
            json!({ "topUpIds": ["x"] }),
            json!(["entryFilter", "topUpIds"]),
        ),
        (
            entries.clone(),
            json!({ "memberIds": many }),
            json!(["entryFilter", "memberIds"]),
        ),
        (
            entries.clone(),
            json!({ "memberIds": [] }),
            json!(["entryFilter", "memberIds"]),
        ),
        (entries.clone(), json!({ "kinds": [] }), json!(["entryFilter", "kinds"])),
        (
            entries.clone(),
            json!({ "amount": { "min": "2", "max": "1" } }),
            json!(["entryFilter", "amount"]),
        ),
        (
            entries.clone(),
            json!({ "search": "x".repeat(201) }),
            json!(["entryFilter", "search"]),
        ),
    ] {
        let input = json!({ "url": "https://example.com/more", "eventTypes": types, "entryFilter": filter });
        let refused = owner
            .mutate("createWebhookEndpoint", "webhookEndpoint { id } secret", input)
            .await;
        let error = &refused["userErrors"][0];
        assert_eq!(
            (&error["code"], &error["field"]),
            (&json!("VALIDATION"), &field),
            "{filter}"
        );
        assert_eq!(
            (&refused["webhookEndpoint"], &refused["secret"]),
            (&Value::Null, &Value::Null)
        );
        let change = json!({ "eventTypes": types, "entryFilter": filter });
        let refused = about(owner, "updateWebhookEndpoint", &id, &change).await;
        assert_eq!(refused["userErrors"][0]["field"], field, "{filter}");
    }
    for types in [json!([]), json!(["ALERT_RAISED"])] {
        let refused = about(owner, "updateWebhookEndpoint", &id, &json!({ "eventTypes": types })).await;
        let error = &refused["userErrors"][0];
        assert_eq!(
            (&error["code"], &error["field"]),
            (&json!("VALIDATION"), &json!(["eventTypes"]))
        );
    }
    assert_eq!(endpoints(owner).await, before, "refusals change nothing");
    let both = json!({ "eventTypes": [], "entryFilter": null });
    let changed = about(owner, "updateWebhookEndpoint", &id, &both).await;
    assert_eq!(code(&changed), "accepted", "without the filter other types are allowed");
}

/// Such as one that a later version has stored.
#[tokio::test]
async fn a_filter_that_cannot_be_read_stops_the_messages_and_alerts_of_no_other() {
    let (app, receiver) = (start().await, Receiver::start().await);
    let other = app.another_team("other").await;
    let filter = json!({ "direction": "ADDED" });
    filtered(&app, &receiver.url("/damaged"), &filter).await;
    let input = json!({ "accountId": other.id(), "url": receiver.url("/other"), "eventTypes": ["CREDIT_ENTRY_POSTED"],
        "entryFilter": filter });
    let owner = &other.owner.client;
    owner
        .apply("createWebhookEndpoint", "webhookEndpoint { id }", input)
        .await;
    let direct = sea_orm::Database::connect(app.database_url()).await.expect("connects");
    let damage = format!(
        "UPDATE webhook_endpoint SET entry_filter = '{{\"version\":99}}' WHERE account_id = {}",
        app.team.account.id.number()
    );
    direct.execute_unprepared(&damage).await.expect("updated");
    direct.close().await.expect("closes");
    for team in [&app.team, &other] {
        let input = json!({ "accountId": team.id(), "credits": "7", "description": "Gift", "idempotencyKey": "gift" });
        app.platform.apply("grantCredits", "entry { id }", input).await;
        // It makes the evaluation of alerts look at the endpoints.
        let input = json!({ "accountId": team.id(), "name": "Renamed" });
        app.platform.apply("updateAccount", "account { id }", input).await;
    }
    deliver(&app).await;
    assert_eq!(receiver.received("/other").len(), 1);
    assert_eq!(receiver.received("/damaged").len(), 0);
    app.evaluate().await;
    assert_eq!(app.services().alerts.late(10).await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_filter_needs_the_permission_to_read_the_log() {
    let app = start().await;
    let owner = &app.team.owner.client;
    let filter = json!({ "direction": "ADDED" });
    let id = filtered(&app, "https://example.com/hooks", &filter).await;
    let before = endpoints(owner).await;
    // Which entries a filter lists reveals what they contain.
    let key = app.team_key(&[Permission::ManageSettings]).await;
    let refused = about(
        &key,
        "updateWebhookEndpoint",
        &id,
        &json!({ "entryFilter": { "search": "gift" } }),
    )
    .await;
    assert_eq!(code(&refused), "FORBIDDEN");
    let input =
        json!({ "url": "https://example.com/more", "eventTypes": ["CREDIT_ENTRY_POSTED"], "entryFilter": filter });
    let refused = key
        .mutate("createWebhookEndpoint", "webhookEndpoint { id }", input)
        .await;
    assert_eq!(code(&refused), "FORBIDDEN");
    assert_eq!(endpoints(owner).await, before, "refusals change nothing");
}

#[tokio::test]
async fn an_endpoint_of_the_platform_filters_by_what_all_accounts_have() {
    let (app, receiver) = (start().await, Receiver::start().await);
    let other = app.another_team("other").await;
    let input = |filter: Value| json!({ "url": receiver.url("/all"), "eventTypes": ["CREDIT_ENTRY_POSTED"], "entryFilter": filter });
    let fields = "webhookEndpoint { id } secret";
    let list = |field: &str, id: String| {
        let mut filter = json!({});
        filter[field] = json!([id]);
        filter
    };
    for field in ["memberIds", "actorIds"] {
        let refused = app
            .platform
            .mutate(
                "createWebhookEndpoint",
                fields,
                input(list(field, app.team.member.id())),
            )
            .await;
        let error = &refused["userErrors"][0];
        assert_eq!(
            (code(&refused), &error["field"]),
            ("VALIDATION", &json!(["entryFilter", field]))
        );
        assert_eq!(
            error["message"],
            "has an id that belongs to one account: the endpoint gets the entries of all accounts"
        );
    }
    let made = app
        .platform
        .apply(
            "createWebhookEndpoint",
            fields,
            input(json!({ "amount": { "min": "10" } })),
        )
        .await;
    for (team, key, credits) in [
        (&app.team, "a", "5"),
        (&app.team, "b", "10"),
        (&other, "c", "11"),
        (&other, "d", "9"),
    ] {
        let grant = json!({ "accountId": team.id(), "credits": credits, "description": "Gift", "idempotencyKey": key });
        app.platform.apply("grantCredits", "entry { id }", grant).await;
    }
    deliver(&app).await;
    let mut about: Vec<Value> = receiver
        .received("/all")
        .iter()
        .map(|one| one.json()["data"]["accountId"].clone())
        .collect();
    about.sort_by_key(ToString::to_string);
    let mut expected = [json!(app.team.id()), json!(other.id())];
    expected.sort_by_key(ToString::to_string);
    assert_eq!(about, expected);
    let shown = app
        .platform
        .query(
            "{ webhookEndpoints { id entryFilter { amount { min max } } } }",
            json!({}),
        )
        .await;
    let expected = json!([{ "id": made_of(&made).id, "entryFilter": { "amount": { "min": "10", "max": null } } }]);
    assert_eq!(shown.at("/webhookEndpoints"), &expected);
}
