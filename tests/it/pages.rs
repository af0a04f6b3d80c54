//! What pages in a browser and their caches rely on. Lists can be followed from where they were read. An invalid argument
//! affects only its own field. One document serves owners and members.

use ledgerbell::domain::member::MemberPatch;
use ledgerbell::primitives::actor::{Actor, MemberRole};
use serde_json::{Value, json};

use crate::harness::{TestApp, with};

const ENTRIES: &str = "subscription($after: LiveCursor, $replayAtMost: Int) {
    creditEntryPosted(after: $after, replayAtMost: $replayAtMost) { cursor signal entry { sequence } } }";

async fn grant(app: &TestApp, count: usize) {
    for _ in 0..count {
        let key = uuid::Uuid::new_v4().to_string();
        let input =
            json!({ "accountId": app.team.id(), "credits": "0.7", "description": "A gift", "idempotencyKey": key });
        app.platform.apply("grantCredits", "", input).await;
    }
}

/// A list is read, an entry is posted, and the header is read again: the later read does not move the position of the list.
#[tokio::test]
async fn each_list_is_followed_from_where_it_was_read() {
    let app = TestApp::start().await;
    app.top_up(40).await;
    let client = &app.team.owner.client;
    let lists = "{ account { creditLog(first: 5) { nodes { sequence } liveCursor } sessions(first: 5) { liveCursor nodes { id } }
        topUps(first: 5) { nodes { id } liveCursor } alerts(first: 5) { liveCursor } liveCursor } }";
    let read = client.query(lists, json!({})).await;
    let account = read.at("/account").clone();
    for list in ["creditLog", "sessions", "topUps", "alerts"] {
        assert_eq!(
            account[list]["liveCursor"], account["liveCursor"],
            "{list}: one place for one response"
        );
    }
    grant(&app, 1).await;
    let title = json!({ "title": "Lesson meanwhile" });
    app.book(with(app.booking("2", "meanwhile", 30..45), title)).await;
    let header = client.query("{ account { name liveCursor } }", json!({})).await;
    assert_ne!(header.at("/account/liveCursor"), &account["liveCursor"]);
    let after = json!({ "after": account["creditLog"]["liveCursor"] });
    let mut entries = app.subscribe(client, ENTRIES, after).await;
    assert_eq!(entries.expect("ITEM").await["entry"]["sequence"], "2");
    entries.expect("CAUGHT_UP").await;
    let sessions =
        "subscription($after: LiveCursor) { sessionUpdated(after: $after) { cursor signal session { title } } }";
    let after = json!({ "after": account["sessions"]["liveCursor"] });
    let mut sessions = app.subscribe(client, sessions, after).await;
    assert_eq!(sessions.expect("ITEM").await["session"]["title"], "Lesson meanwhile");
}

/// Also where no other part of the response reads the position before: an account by the platform's own id.
#[tokio::test]
async fn a_place_is_taken_before_its_list_is_read() {
    let app = TestApp::start().await;
    app.top_up(3).await;
    let query = "query ($id: String!, $after: String) { account(externalId: $id) { creditLog(first: 1, after: $after) {
        liveCursor totals { count } pageInfo { endCursor } } } }";
    let read = app.platform.query(query, json!({ "id": "team" })).await;
    let cursor = read.at("/account/creditLog/liveCursor").clone();
    grant(&app, 2).await;
    let mut entries = app
        .subscribe(&app.team.admin.client, ENTRIES, json!({ "after": cursor }))
        .await;
    for sequence in ["2", "3"] {
        assert_eq!(entries.expect("ITEM").await["entry"]["sequence"], sequence);
    }
}

#[tokio::test]
async fn an_argument_that_makes_no_sense_spoils_its_own_field_alone() {
    let app = TestApp::start().await;
    app.top_up(11).await;
    let client = &app.team.owner.client;
    let late_before_early = "occurredAt: { from: \"2026-03-02T00:00:00Z\", before: \"2026-03-01T00:00:00Z\" }";
    for (field, argument) in [
        (
            format!("creditLog(filter: {{ {late_before_early} }}) {{ nodes {{ id }} }}"),
            "filter.occurredAt",
        ),
        ("creditLog(after: \"\") { nodes { id } }".to_owned(), "after"),
        ("creditLog(first: -3) { nodes { id } }".to_owned(), "first"),
        ("creditLog(first: 2, last: 2) { nodes { id } }".to_owned(), "last"),
        ("sessions(before: \"AAAAAAAA\") { nodes { id } }".to_owned(), "before"),
        ("sessions(last: -1) { nodes { id } }".to_owned(), "last"),
        ("topUps(after: \"x\") { nodes { id } }".to_owned(), "after"),
        ("alerts(after: \"x\") { nodes { id } }".to_owned(), "after"),
        ("members(first: -1) { nodes { id } }".to_owned(), "first"),
        ("events(first: -1) { cursor }".to_owned(), "first"),
        (
            "autoTopUp { decisions(after: \"x\") { nodes { id } } }".to_owned(),
            "after",
        ),
    ] {
        let answer = client
            .query(
                &format!("{{ account {{ name field: {field} balance {{ posted }} }} }}"),
                json!({}),
            )
            .await;
        let account = &answer.body["data"]["account"];
        assert_eq!(
            (&account["name"], &account["balance"]["posted"]),
            (&json!("The team"), &json!("11")),
            "{field}"
        );
        let error = &answer.body["errors"][0];
        assert_eq!(error["extensions"]["code"], "BAD_REQUEST", "{field}");
        assert_eq!(error["extensions"]["field"], argument, "{field}: {error}");
        assert_eq!(error["path"][1], "field", "{field}: {error}");
    }
}

#[tokio::test]
async fn every_refusal_of_an_argument_names_it() {
    let app = TestApp::start().await;
    let client = &app.team.owner.client;
    let page = "query ($first: Int, $filter: CreditLogFilter) { account { creditLog(first: $first, filter: $filter) { nodes { id } } } }";
    for (query, variables, field) in [
        (page, json!({ "first": "ten" }), "first"),
        (
            page,
            json!({ "filter": { "kinds": ["GRANT", "GIFT"] } }),
            "filter.kinds.1",
        ),
        (page, json!({ "filter": { "colour": "red" } }), "filter.colour"),
        (
            "query ($credits: Credits!) { account { topUpQuote(credits: $credits) { minimum } } }",
            json!({ "credits": 5 }),
            "credits",
        ),
        (
            "{ account(id: \"a\", externalId: \"b\") { id } }",
            json!({}),
            "externalId",
        ),
        (
            "{ account { creditLog(order: \"OLDEST_FIRST\") { nodes { id } } } }",
            json!({}),
            "order",
        ),
        (
            "query ($order: SortOrder = \"NEWEST_FIRST\") { account { creditLog(order: $order) { nodes { id } } } }",
            json!({}),
            "order",
        ),
        (
            "{ account { creditLog(filter: { kinds: [GRANT, \"SESSION\"] }) { nodes { id } } } }",
            json!({}),
            "filter",
        ),
    ] {
        let answer = client.query(query, variables).await;
        assert_eq!(answer.error_code(), "BAD_REQUEST", "{query}");
        assert_eq!(
            answer.body["errors"][0]["extensions"]["field"], field,
            "{query}: {}",
            answer.body
        );
    }
    for (document, variables, field) in [
        (ENTRIES, json!({ "after": "x" }), "after"),
        (ENTRIES, json!({ "replayAtMost": -1 }), "replayAtMost"),
        (
            "subscription { topUpUpdated(topUpId: \"x\") { signal } }",
            json!({}),
            "topUpId",
        ),
        (
            "subscription { balanceChanged(accountId: \"x\") { signal } }",
            json!({}),
            "accountId",
        ),
    ] {
        let refused = app
            .try_subscribe(client, document, variables)
            .await
            .err()
            .expect("refused");
        assert_eq!(refused["errors"][0]["extensions"]["field"], field, "{refused}");
    }
}

#[tokio::test]
async fn more_than_the_maximum_is_the_maximum() {
    let app = TestApp::start().await;
    grant(&app, 103).await;
    let query = "query ($first: Int, $last: Int) { account { creditLog(first: $first, last: $last) {
        nodes { sequence } pageInfo { hasNextPage hasPreviousPage } } } }";
    let client = &app.team.owner.client;
    let first = client.query(query, json!({ "first": 5_000 })).await;
    let page = first.at("/account/creditLog");
    assert_eq!(page["nodes"].as_array().map(Vec::len), Some(100));
    assert_eq!(page["pageInfo"]["hasNextPage"], true);
    let last = client.query(query, json!({ "last": 101 })).await;
    let page = last.at("/account/creditLog");
    assert_eq!(page["nodes"].as_array().map(Vec::len), Some(100));
    assert_eq!(page["pageInfo"]["hasPreviousPage"], true);
}

/// One document: the owner sees all of it, a member sees their own part, and neither gets an error.
#[tokio::test]
async fn one_document_serves_owners_and_members() {
    let app = TestApp::start().await;
    app.top_up(21).await;
    let page = "{ viewer { permissions } account { name balance { available } creditLog(first: 3) { nodes { amount } }
        topUps { nodes { credits } } paymentMethods { id } autoTopUp { enabled } members { nodes { name contact { email } } }
        troubleshooting { code } apiKeys { id } forecast { daysLeft } creditLots { nodes { id } } explainBalance { posted }
        creditUsage(groupBy: [KIND]) { nodes { key } } alerts { unreadCount } } }";
    let owner = app.team.owner.client.query(page, json!({})).await;
    let member = app.team.member.client.query(page, json!({})).await;
    let hidden = [
        "topUps",
        "paymentMethods",
        "autoTopUp",
        "members",
        "troubleshooting",
        "apiKeys",
        "forecast",
        "creditLots",
        "explainBalance",
    ];
    for field in hidden {
        assert!(!owner.at("/account")[field].is_null(), "the owner sees {field}");
        assert!(member.at("/account")[field].is_null(), "a member does not see {field}");
    }
    for field in ["balance", "creditLog", "creditUsage", "alerts"] {
        assert!(!member.at("/account")[field].is_null(), "a member sees {field}");
    }
    assert_eq!(member.at("/viewer/permissions"), &json!(["READ_OWN_USAGE"]));
    let of_colleague =
        "query ($id: ID!) { node(id: $id) { ... on Member { name contact { email } notificationSettings { version }
        usage { count } alerts { unreadCount } deliveries { nodes { id } } } } }";
    let colleague = app
        .team
        .owner
        .client
        .query("{ viewer { member { id } } }", json!({}))
        .await;
    let id = colleague.at("/viewer/member/id").clone();
    app.team
        .member
        .client
        .query(of_colleague, json!({ "id": id }))
        .await
        .data();
}

#[tokio::test]
async fn topics_that_a_member_may_not_see_are_left_out_and_a_demotion_starts_over() {
    let app = TestApp::start().await;
    let document = "subscription { accountUpdated(topics: [TOP_UPS, CREDIT_ENTRIES, TROUBLESHOOTING]) {
        cursor signal topics topUps { id } entries { sequence } } }";
    let mut member = app.subscribe(&app.team.member.client, document, json!({})).await;
    assert_eq!(member.expect("CAUGHT_UP").await["topics"], json!(["CREDIT_ENTRIES"]));
    let mut admin = app.subscribe(&app.team.admin.client, document, json!({})).await;
    let topics = json!(["CREDIT_ENTRIES", "TOP_UPS", "TROUBLESHOOTING"]);
    assert_eq!(admin.expect("CAUGHT_UP").await["topics"], topics);
    let patch = MemberPatch {
        role: Some(MemberRole::Member),
        ..MemberPatch::default()
    };
    let (members, account_id) = (&app.services().members, app.team.account.id);
    let demoted = members
        .update(&Actor::System, account_id, app.team.admin.member.id, patch)
        .await;
    demoted.expect("demoted");
    assert_eq!(admin.expect("RESET").await["topics"], json!(["CREDIT_ENTRIES"]));
    app.top_up(9).await;
    assert!(
        admin.is_idle().await,
        "what is left goes on, and tells nothing of others"
    );
    let refused = "subscription { topUpUpdated { signal } }";
    let refused = app
        .try_subscribe(&app.team.admin.client, refused, json!({}))
        .await
        .err()
        .expect("refused");
    assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN");
}

#[tokio::test]
async fn what_was_missed_comes_filtered_and_in_batches() {
    let app = TestApp::start().await;
    let client = &app.team.owner.client;
    let cursor = client
        .query("{ account { creditLog(first: 0) { liveCursor } } }", json!({}))
        .await;
    let cursor = cursor.at("/account/creditLog/liveCursor").clone();
    grant(&app, 130).await;
    app.top_up(50).await;
    let document = "subscription($after: LiveCursor, $filter: CreditLogFilter) { accountUpdated(topics: [CREDIT_ENTRIES], after: $after) {
        cursor signal entries(filter: $filter) { sequence amount } entryTotals(filter: $filter) { scope count added deducted net } } }";
    let variables = json!({ "after": cursor, "filter": { "kinds": ["GRANT"], "amount": { "min": "0.5" } } });
    let mut missed = app.subscribe(client, document, variables).await;
    let (mut entries, mut messages, mut count) = (0, 0, 0);
    loop {
        let event = missed.next().await.event;
        if event["signal"] == "CAUGHT_UP" {
            assert_eq!(event["entries"], json!([]));
            break;
        }
        messages += 1;
        entries += event["entries"].as_array().expect("a list").len();
        count += event["entryTotals"]["count"]
            .as_str()
            .expect("a number")
            .parse::<usize>()
            .expect("a number");
    }
    assert_eq!((entries, count), (130, 130), "the top-up is not of this filter");
    assert!(messages <= 4, "{messages} messages");
    grant(&app, 1).await;
    let totals = json!({ "scope": "ACCOUNT", "count": "1", "added": "0.7", "deducted": "0", "net": "0.7" });
    assert_eq!(missed.expect("ITEM").await["entryTotals"], totals);
}

#[tokio::test]
async fn too_much_that_was_missed_is_not_replayed() {
    let app = TestApp::start().await;
    let client = &app.team.owner.client;
    let cursor = client
        .query("{ account { liveCursor } }", json!({}))
        .await
        .at("/account/liveCursor")
        .clone();
    grant(&app, 6).await;
    let mut all = app
        .subscribe(client, ENTRIES, json!({ "after": cursor, "replayAtMost": 6 }))
        .await;
    for sequence in 1..=6 {
        assert_eq!(all.expect("ITEM").await["entry"]["sequence"], sequence.to_string());
    }
    all.expect("CAUGHT_UP").await;
    let mut none = app
        .subscribe(client, ENTRIES, json!({ "after": cursor, "replayAtMost": 5 }))
        .await;
    none.expect("RESET").await;
    grant(&app, 1).await;
    for subscriber in [&mut all, &mut none] {
        assert_eq!(subscriber.expect("ITEM").await["entry"]["sequence"], "7");
    }
    let now = app
        .subscribe(client, ENTRIES, json!({ "replayAtMost": 0 }))
        .await
        .expect("CAUGHT_UP")
        .await;
    assert!(now["cursor"].is_string());
}

#[tokio::test]
async fn who_caused_entries_can_be_filtered_by() {
    let app = TestApp::start().await;
    app.top_up(5).await;
    grant(&app, 2).await;
    let client = &app.team.owner.client;
    let log = client
        .query(
            "{ account { creditLog { nodes { kind actor { id kind member { id } } } } } }",
            json!({}),
        )
        .await;
    let nodes = log.at("/account/creditLog/nodes").as_array().expect("a list").clone();
    let (by_key, by_member) = (&nodes[0]["actor"], &nodes[2]["actor"]);
    assert_eq!(
        (&by_key["kind"], &by_member["id"]),
        (&json!("API_KEY"), &by_member["member"]["id"])
    );
    let filtered = "query ($ids: [ID!]) { account { creditLog(filter: { actorIds: $ids }) { totals { count } } } }";
    for (id, count) in [(&by_key["id"], "2"), (&by_member["id"], "1")] {
        let answer = client.query(filtered, json!({ "ids": [id] })).await;
        assert_eq!(answer.at("/account/creditLog/totals/count"), count, "{id}");
    }
    let usage = client
        .query(
            "{ account { creditUsage(groupBy: [ACTOR]) { nodes { key actor { id } } } } }",
            json!({}),
        )
        .await;
    for group in usage.at("/account/creditUsage/nodes").as_array().expect("a list") {
        let (key, id) = (
            group["key"].as_str().expect("a key"),
            group["actor"]["id"].as_str().expect("an id"),
        );
        assert!(key.ends_with(id), "{key} has {id}");
    }
}

/// A colleague's inbox beside one's own: what the colleague has read does not change the alert that both have.
#[tokio::test]
async fn an_alert_in_two_inboxes_has_an_item_in_each() {
    let app = TestApp::start().await;
    app.platform
        .mutate(
            "freezeAccount",
            "",
            json!({ "accountId": app.team.id(), "reason": "Unpaid" }),
        )
        .await;
    app.evaluate().await;
    let (olga, adam) = (&app.team.owner, &app.team.admin);
    let inbox = "query ($id: ID!) { node(id: $id) { ... on Member { alerts { unreadCount items { id readAt member { id } alert { id readAt } }
        edges { readAt item { id } node { id readAt } } } } } }";
    let own = olga.client.query(inbox, json!({ "id": olga.id() })).await;
    let item = own.at("/node/alerts/items/0").clone();
    let input = json!({ "alertIds": [item["alert"]["id"]] });
    let fields = "items { id readAt } alerts { readAt }";
    let marked = olga.client.mutate("markAlertsRead", fields, input).await;
    let read_at = marked["items"][0]["readAt"].clone();
    assert!(read_at.is_string());
    assert_eq!(marked["items"][0]["id"], item["id"]);
    let colleagues = olga.client.query(inbox, json!({ "id": adam.id() })).await;
    let theirs = colleagues.at("/node/alerts/items/0");
    assert_eq!(theirs["alert"]["id"], item["alert"]["id"], "one alert");
    assert_ne!(theirs["id"], item["id"], "two items");
    assert_eq!(
        (&theirs["readAt"], &theirs["member"]["id"]),
        (&json!(null), &json!(adam.id()))
    );
    assert_eq!(theirs["alert"]["readAt"], read_at, "the alert is as the viewer has it");
    let edge = colleagues.at("/node/alerts/edges/0");
    assert_eq!((&edge["readAt"], &edge["item"]["id"]), (&json!(null), &theirs["id"]));
    let node = "query ($id: ID!) { node(id: $id) { id ... on InboxItem { readAt alert { id } member { name } } } }";
    let again = olga.client.query(node, json!({ "id": item["id"] })).await;
    assert_eq!(again.at("/node/readAt"), &read_at);
    let hidden = app.team.member.client.query(node, json!({ "id": theirs["id"] })).await;
    assert_eq!(
        hidden.body["data"]["node"],
        json!(null),
        "another's inbox is not for plain members"
    );
    let stranger = app.another_team("stranger").await;
    assert_eq!(
        stranger
            .owner
            .client
            .query(node, json!({ "id": item["id"] }))
            .await
            .at("/node"),
        &json!(null)
    );
}

#[tokio::test]
async fn events_tell_how_many_alerts_are_unread() {
    let app = TestApp::start().await;
    let client = &app.team.admin.client;
    let account = "subscription { accountUpdated { signal unreadCount inboxItems { id readAt } } }";
    let changes = "subscription { alertsUpdated { signal change unreadCount items { id readAt } } }";
    let mut account = app.subscribe(client, account, json!({})).await;
    let mut changes = app.subscribe(client, changes, json!({})).await;
    for subscriber in [&mut account, &mut changes] {
        assert_eq!(subscriber.expect("CAUGHT_UP").await["unreadCount"], json!(null));
    }
    app.platform
        .mutate(
            "freezeAccount",
            "",
            json!({ "accountId": app.team.id(), "reason": "Unpaid" }),
        )
        .await;
    app.evaluate().await;
    let raised = changes.expect("ITEM").await;
    assert_eq!(
        (&raised["change"], &raised["unreadCount"]),
        (&json!("RAISED"), &json!(1))
    );
    let item = loop {
        let event = account.expect("ITEM").await;
        if let Some(item) = event["inboxItems"].get(0) {
            assert_eq!(event["unreadCount"], 1);
            break item.clone();
        }
    };
    assert_eq!(raised["items"], json!([item]));
    let all = "mutation { markAlertsRead(input: { alertIds: [] }) { userErrors { code } } }";
    let ids = client
        .query("{ account { alerts { items { alert { id } } } } }", json!({}))
        .await;
    let id = ids
        .at("/account/alerts/items/0/alert/id")
        .as_str()
        .expect("an id")
        .to_owned();
    client
        .query(&all.replace("[]", &format!("[\"{id}\"]")), json!({}))
        .await
        .data();
    let read = changes.expect("ITEM").await;
    assert_eq!((&read["change"], &read["unreadCount"]), (&json!("READ"), &json!(0)));
    let read_at: &Value = &read["items"][0]["readAt"];
    assert!(read_at.is_string());
}

/// A page that has lost the id that it meant must not change the viewer itself.
#[tokio::test]
async fn an_explicit_null_for_a_member_is_no_member() {
    let app = TestApp::start().await;
    let client = &app.team.owner.client;
    for (mutation, rest) in [
        ("sendTestNotification", "channel: IN_APP"),
        ("markAlertsRead", "alertIds: []"),
        ("archiveAlerts", "alertIds: []"),
        ("updateContact", "locale: \"de\""),
        ("updateNotificationSettings", "lowBalanceThreshold: \"7\""),
        ("verifyContact", "code: \"123456\""),
        ("sendContactVerification", ""),
    ] {
        let query =
            format!("mutation {{ {mutation}(input: {{ memberId: null {rest} }}) {{ userErrors {{ code field }} }} }}");
        let answer = client.query(&query, json!({})).await;
        let refused = json!([{ "code": "VALIDATION", "field": ["memberId"] }]);
        assert_eq!(answer.only_field()["userErrors"], refused, "{mutation}");
    }
    let own = "{ viewer { member { contact { locale version } notificationSettings { lowBalanceThreshold version } unreadAlertCount } } }";
    let own = client.query(own, json!({})).await;
    let member = own.at("/viewer/member");
    assert_eq!(member["unreadAlertCount"], 0);
    assert_eq!(member["notificationSettings"]["lowBalanceThreshold"], json!(null));
    assert_ne!(member["contact"]["locale"], "de");
}

#[tokio::test]
async fn a_quote_says_how_many_can_be_bought_whatever_was_asked() {
    let app = TestApp::start().await;
    let query = "query ($credits: Credits!) { account { topUpQuote(credits: $credits) { minimum maximum step price { amount } } } }";
    let client = &app.team.owner.client;
    let good = client.query(query, json!({ "credits": "3000" })).await;
    let good = good.at("/account/topUpQuote").clone();
    assert!(good["price"]["amount"].is_string());
    for credits in ["0", "0.0001"] {
        let answer = client.query(query, json!({ "credits": credits })).await;
        let quote = &answer.body["data"]["account"]["topUpQuote"];
        assert_eq!(quote["price"], json!(null), "{credits}");
        assert_eq!(
            (&quote["minimum"], &quote["maximum"], &quote["step"]),
            (&good["minimum"], &good["maximum"], &good["step"]),
            "{credits}"
        );
        let error = &answer.body["errors"][0];
        assert_eq!(
            error["extensions"],
            json!({ "code": "BAD_REQUEST", "field": "credits" }),
            "{credits}"
        );
        assert_eq!(error["path"], json!(["account", "topUpQuote", "price"]));
    }
}

#[tokio::test]
async fn the_schema_describes_itself() {
    let app = TestApp::start().await;
    let answer = app
        .anonymous()
        .query("{ s: __schema { d: description queryType { name } } }", json!({}))
        .await;
    let description = answer.at("/s/d").as_str().expect("text").to_owned();
    assert!(
        description.starts_with("Ledgerbell: ") && description.contains("Authorization"),
        "{description}"
    );
}
