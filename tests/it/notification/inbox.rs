//! Reading and marking alerts, and live events about these changes.

use ledgerbell::primitives::actor::Permission;
use serde_json::{Value, json};

use super::{adjust, code, inbox};
use crate::harness::{Client, TestApp};

const RAISED: &str = "subscription ($after: LiveCursor, $member: ID) { alertRaised(after: $after, memberId: $member) {
    cursor signal replayed unreadCount alert { kind title } member { name } } }";
const UPDATED: &str =
    "subscription { alertsUpdated { cursor signal change alerts { id kind readAt archivedAt } upTo { id } } }";

async fn mark(client: &Client, name: &str, input: Value) -> Value {
    client
        .mutate(
            name,
            "unreadCount alerts { id readAt archivedAt } member { name }",
            input,
        )
        .await
}

/// Returns an app whose team has three alerts. Plain members see one: depleted, after topped up and recovered.
async fn with_alerts() -> TestApp {
    let app = TestApp::start().await;
    app.top_up(10).await;
    app.evaluate().await;
    adjust(&app, "-10").await;
    adjust(&app, "100").await;
    app
}

#[tokio::test]
async fn alerts_are_read_put_away_and_taken_back_by_each_member_for_themselves() {
    let app = Box::pin(with_alerts()).await;
    let (olga, adam) = (&app.team.owner, &app.team.admin);
    let (alerts, unread) = inbox(&olga.client).await;
    assert_eq!((alerts.len(), &unread), (3, &json!(3)));
    let newest = &alerts[0]["id"];
    let read = mark(&olga.client, "markAlertsRead", json!({ "alertIds": [newest] })).await;
    assert_eq!(
        (&read["unreadCount"], &read["member"]["name"]),
        (&json!(2), &json!("Olga"))
    );
    assert!(read["alerts"][0]["readAt"].is_string());
    let up_to = mark(&olga.client, "markAlertsRead", json!({ "upTo": alerts[1]["id"] })).await;
    assert_eq!((&up_to["unreadCount"], &up_to["alerts"]), (&json!(0), &Value::Null));
    let unread = mark(
        &olga.client,
        "markAlertsRead",
        json!({ "alertIds": [newest], "read": false }),
    )
    .await;
    assert_eq!(unread["unreadCount"], 1);
    let archived = mark(&olga.client, "archiveAlerts", json!({ "alertIds": [newest] })).await;
    assert_eq!(archived["unreadCount"], 0, "what is put away does not count");
    assert_eq!(inbox(&olga.client).await.0.len(), 2);
    let query = "{ account { alerts(filter: { includeArchived: true, unreadOnly: true }) { nodes { id } } } }";
    let all = olga.client.query(query, json!({})).await;
    assert_eq!(all.at("/account/alerts/nodes"), &json!([{ "id": newest }]));
    mark(
        &olga.client,
        "archiveAlerts",
        json!({ "alertIds": [newest], "archived": false }),
    )
    .await;
    assert_eq!(inbox(&olga.client).await.0.len(), 3);
    assert_eq!(
        inbox(&adam.client).await.1,
        json!(3),
        "another member's inbox is another's"
    );
}

#[tokio::test]
async fn what_is_not_in_the_inbox_is_not_marked_and_nothing_else_is() {
    let app = Box::pin(with_alerts()).await;
    let other = app.another_team("other").await;
    let (olga, mia) = (&app.team.owner, &app.team.member);
    let (alerts, _) = inbox(&olga.client).await;
    let ids: Vec<&Value> = alerts.iter().map(|alert| &alert["id"]).collect();
    let refused = mark(&mia.client, "markAlertsRead", json!({ "alertIds": [ids[1], ids[0]] })).await;
    assert_eq!(
        (code(&refused), &refused["userErrors"][0]["field"]),
        ("NOT_FOUND", &json!(["alertIds", "1"]))
    );
    for input in [json!({ "upTo": ids[0] }), json!({ "alertIds": [mia.id()] })] {
        assert_eq!(code(&mark(&mia.client, "archiveAlerts", input).await), "NOT_FOUND");
    }
    for input in [
        json!({}),
        json!({ "alertIds": [ids[1]], "upTo": ids[1] }),
        json!({ "alertIds": vec![ids[1]; 101] }),
    ] {
        assert_eq!(code(&mark(&mia.client, "markAlertsRead", input).await), "VALIDATION");
    }
    let of_olga = json!({ "memberId": olga.id(), "alertIds": [ids[0]] });
    assert_eq!(
        code(&mark(&mia.client, "markAlertsRead", of_olga.clone()).await),
        "FORBIDDEN"
    );
    assert_eq!(
        code(&mark(&other.owner.client, "markAlertsRead", of_olga.clone()).await),
        "NOT_FOUND"
    );
    assert_eq!(inbox(&mia.client).await.1, json!(1));
    assert_eq!(inbox(&olga.client).await.1, json!(3));
    let key = app.key(&[Permission::ManageSettings, Permission::ReadCreditLog]).await;
    assert_eq!(mark(&key, "markAlertsRead", of_olga).await["unreadCount"], 2);
}

#[tokio::test]
async fn an_inbox_is_seen_by_its_member_and_who_manages_settings() {
    let app = Box::pin(with_alerts()).await;
    let other = app.another_team("other").await;
    let (olga, mia) = (&app.team.owner, &app.team.member);
    let query =
        "query ($id: ID!) { node(id: $id) { ... on Member { name unreadAlertCount alerts(first: 2) { nodes { kind }
        pageInfo { hasNextPage } } } } }";
    let seen = app.team.admin.client.query(query, json!({ "id": olga.id() })).await;
    assert_eq!(seen.at("/node/unreadAlertCount"), &json!(3));
    assert_eq!(seen.at("/node/alerts/pageInfo/hasNextPage"), &json!(true));
    let reader = app.key(&[Permission::ReadCreditLog]).await;
    let hidden = reader.query(query, json!({ "id": olga.id() })).await;
    let node = json!({ "name": "Olga", "unreadAlertCount": null, "alerts": null });
    assert_eq!(hidden.at("/node"), &node, "null without an error");
    let all = reader
        .query(
            "{ account { alerts { unreadCount nodes { kind readAt } } } }",
            json!({}),
        )
        .await;
    assert_eq!(
        all.at("/account/alerts/nodes").as_array().map(Vec::len),
        Some(3),
        "a key sees the account's"
    );
    let (alerts, _) = inbox(&olga.client).await;
    let node =
        "query ($id: ID!) { node(id: $id) { ... on Alert { kind deliveries { nodes { recipient { name } } } } } }";
    let id = json!({ "id": alerts[1]["id"] });
    let of_mia = mia.client.query(node, id.clone()).await;
    assert_eq!(
        of_mia.at("/node/deliveries/nodes"),
        &json!([{ "recipient": { "name": "Mia" } }])
    );
    assert_eq!(
        mia.client
            .query(node, json!({ "id": alerts[0]["id"] }))
            .await
            .at("/node"),
        &Value::Null
    );
    assert_eq!(other.owner.client.query(node, id).await.at("/node"), &Value::Null);
}

#[tokio::test]
async fn alerts_are_told_live_to_whose_inbox_they_reach_and_replayed() {
    let app = TestApp::start().await;
    let (olga, mia) = (&app.team.owner, &app.team.member);
    let begun = mia
        .client
        .query("{ account { alerts { liveCursor } } }", json!({}))
        .await;
    let cursor = begun.at("/account/alerts/liveCursor").clone();
    let mut of_olga = app.subscribe(&olga.client, RAISED, json!({})).await;
    let mut of_mia = app.subscribe(&mia.client, RAISED, json!({})).await;
    of_olga.expect("CAUGHT_UP").await;
    of_mia.expect("CAUGHT_UP").await;
    app.top_up(10).await;
    app.evaluate().await;
    adjust(&app, "-10").await;
    for (kind, unread) in [("TOP_UP_SUCCEEDED", 1), ("BALANCE_DEPLETED", 2)] {
        let event = of_olga.expect("ITEM").await;
        assert_eq!(event["alert"]["kind"], kind);
        assert!(event["unreadCount"].as_i64().is_some_and(|count| count >= unread));
    }
    let event = of_mia.expect("ITEM").await;
    assert_eq!(
        (&event["alert"]["kind"], &event["unreadCount"]),
        (&json!("BALANCE_DEPLETED"), &json!(1))
    );
    assert_eq!(event["member"]["name"], "Mia");
    assert!(of_mia.is_idle().await, "what is for others is not told");
    let mut late = app.subscribe(&mia.client, RAISED, json!({ "after": cursor })).await;
    let event = late.expect("ITEM").await;
    assert_eq!(
        (&event["alert"]["kind"], &event["replayed"]),
        (&json!("BALANCE_DEPLETED"), &json!(true))
    );
    late.expect("CAUGHT_UP").await;
    let of_other = json!({ "member": olga.id() });
    assert!(app.try_subscribe(&mia.client, RAISED, of_other).await.is_err());
}

#[tokio::test]
async fn marks_are_told_in_the_members_other_windows() {
    let app = Box::pin(with_alerts()).await;
    let (olga, adam) = (&app.team.owner, &app.team.admin);
    let (alerts, _) = inbox(&olga.client).await;
    let mut window = app.subscribe(&olga.client, UPDATED, json!({})).await;
    let mut of_adam = app.subscribe(&adam.client, UPDATED, json!({})).await;
    window.expect("CAUGHT_UP").await;
    of_adam.expect("CAUGHT_UP").await;
    let two = json!([alerts[1]["id"], alerts[0]["id"]]);
    mark(&olga.client, "markAlertsRead", json!({ "alertIds": two })).await;
    let event = window.expect("ITEM").await;
    assert_eq!((&event["change"], &event["upTo"]), (&json!("READ"), &Value::Null));
    assert_eq!(event["alerts"].as_array().map(Vec::len), Some(2));
    assert!(event["alerts"][0]["readAt"].is_string());
    mark(&olga.client, "markAlertsRead", json!({ "alertIds": two })).await;
    assert!(window.is_idle().await, "nothing has changed");
    mark(&olga.client, "archiveAlerts", json!({ "upTo": alerts[1]["id"] })).await;
    let event = window.expect("ITEM").await;
    assert_eq!(
        (&event["change"], &event["upTo"]["id"]),
        (&json!("ARCHIVED"), &alerts[1]["id"])
    );
    assert!(of_adam.is_idle().await, "another member's marks are nobody's business");
    adjust(&app, "-100").await;
    assert_eq!(of_adam.expect("ITEM").await["change"], "RAISED");
    adjust(&app, "10").await;
    assert_eq!(of_adam.expect("ITEM").await["change"], "RESOLVED");
}
