//! The log at level info: the start, refused sign-ins, each movement of credits and money, and panics.

use std::time::{Duration, Instant};

use ledgerbell::primitives::clock::Clock;
use serde_json::{Value, json};

use crate::harness::{Place, TestDatabase};

const KEY: [&str; 6] = [
    "api-key",
    "create",
    "--name",
    "Hidden Key",
    "--permissions",
    "READ_CREDIT_LOG,MANAGE_ACCOUNTS,MANAGE_CREDITS,MANAGE_MEMBERS,BUY_CREDITS,REFUND_TOP_UPS,BOOK_SESSIONS,SETTLE_SESSIONS",
];

fn as_json(url: &str) -> Place {
    let mut place = Place::new(url);
    place.settings.push(("LEDGERBELL_LOG_FORMAT", "json".to_owned()));
    place
}

fn message(line: &Value) -> &str {
    line["fields"]["message"].as_str().unwrap_or_default()
}

/// Returns a top-up with a card of this name, once it has reached this status.
async fn buy(client: &crate::harness::Client, account: &str, card: &str, ends_as: &str) -> Value {
    let input = json!({ "accountId": account, "gatewayToken": card });
    client.apply("addPaymentMethod", "paymentMethod { id }", input).await;
    let input = json!({ "accountId": account, "credits": "10", "idempotencyKey": card });
    let made = client.apply("createTopUp", "topUp { id }", input).await;
    until_top_up(client, &made["topUp"]["id"], |top_up| top_up["status"] == ends_as).await
}

async fn until_top_up(client: &crate::harness::Client, id: &Value, is_so: impl Fn(&Value) -> bool) -> Value {
    let query = "query($id: ID!) { node(id: $id) { ... on TopUp { id status creditsReversed entry { id } } } }";
    for _ in 0..1_500 {
        let top_up = client.query(query, json!({ "id": id })).await.only_field();
        if is_so(&top_up) {
            return top_up;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the top-up ends");
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one history, and each of its lines")]
async fn each_movement_of_credits_and_money_is_one_line_without_names_or_secrets() {
    let database = TestDatabase::make().await;
    let place = as_json(&database.url);
    place.print(&database, &["migrate"]);
    let key = place.print(&database, &KEY);
    let serving = place.serve(&database, &key).await;
    let client = &serving.client;
    let new = json!({ "name": "Hidden Team", "externalId": "hidden-team", "creditPrice": "0.5", "currency": "EUR",
        "owner": { "name": "Hidden Owner", "externalId": "hidden-owner" } });
    let made = client
        .apply(
            "createAccount",
            "account { id members(first: 1) { nodes { id } } }",
            new,
        )
        .await;
    let account = made["account"]["id"].as_str().expect("an id").to_owned();
    let member = &made["account"]["members"]["nodes"][0]["id"];
    let grant =
        json!({ "accountId": account, "credits": "20", "description": "Hidden words", "idempotencyKey": "hidden-key" });
    for _ in 0..2 {
        // The second grant moves nothing.
        client.apply("grantCredits", "entry { id }", grant.clone()).await;
    }
    let adjust =
        json!({ "accountId": account, "amount": "-3", "description": "Hidden words", "idempotencyKey": "less" });
    client.apply("adjustCredits", "entry { id }", adjust).await;
    let now = Clock::system().now();
    let book = json!({ "accountId": account, "memberId": member, "title": "Hidden title", "credits": "4", "idempotencyKey": "book",
        "startsAt": now.plus_millis(3_600_000).to_string(), "endsAt": now.plus_millis(7_200_000).to_string() });
    let booked = client.apply("bookSession", "session { id }", book).await;
    let complete = json!({ "sessionId": booked["session"]["id"], "idempotencyKey": "complete" });
    client.apply("completeSession", "session { id }", complete).await;
    let paid = buy(client, &account, "card_ok", "SUCCEEDED").await;
    let refund = json!({ "topUpId": paid["id"], "credits": "2", "reason": "Hidden words", "idempotencyKey": "back" });
    client.apply("refundTopUp", "topUp { id }", refund).await;
    until_top_up(client, &paid["id"], |top_up| top_up["creditsReversed"] == "2").await;
    let declined = buy(client, &account, "card_declined", "FAILED").await;
    let forged = client.with_credential("lb_0123456789abcdef_forged");
    forged.query("{ viewer { kind } }", json!({})).await;

    let lines = serving.log_until(|line| message(line) == "a sign-in was refused").await;
    let lines = if lines.iter().any(|line| message(line) == "top-up failed") {
        lines
    } else {
        serving.log_until(|line| message(line) == "top-up failed").await
    };
    let log_query = "query($id: ID!) { account(id: $id) { creditLog(first: 50, order: OLDEST_FIRST) { nodes { id amount kind } } } }";
    let log = client.query(log_query, json!({ "id": account })).await;
    let entries = log.at("/account/creditLog/nodes").as_array().expect("entries").clone();
    assert_eq!(entries.len(), 5, "{entries:?}");
    for (entry, what) in entries.iter().zip([
        "credits added",
        "credits deducted",
        "credits settled",
        "credits added",
        "credits deducted",
    ]) {
        let told = |line: &&Value| line["fields"]["entry"] == entry["id"] && message(line).starts_with("credits ");
        let told: Vec<&Value> = lines.iter().filter(told).collect();
        assert_eq!(told.len(), 1, "{entry}: {told:?}");
        let fields = &told[0]["fields"];
        assert_eq!(
            (
                &fields["message"],
                &fields["account"],
                &fields["kind"],
                &fields["amount"]
            ),
            (&json!(what), &json!(account), &entry["kind"], &entry["amount"]),
        );
    }
    let top_ups: Vec<_> = lines
        .iter()
        .filter(|line| message(line).starts_with("top-up "))
        .collect();
    let facts = top_ups.iter().map(|line| {
        let fields = &line["fields"];
        assert_eq!(fields["account"], account.as_str());
        json!([message(line), fields["top_up"], fields["amount"], fields["currency"]])
    });
    let facts: Vec<Value> = facts.collect();
    assert_eq!(
        facts,
        [
            json!(["top-up succeeded", paid["id"], "5.00", "EUR"]),
            json!(["top-up refunded", paid["id"], "1.00", "EUR"]),
            json!(["top-up failed", declined["id"], "5.00", "EUR"]),
        ]
    );
    assert_eq!(top_ups[0]["fields"]["entry"], paid["entry"]["id"]);
    assert!(top_ups[2]["fields"]["failure"].is_string(), "{}", top_ups[2]);

    let start = lines
        .iter()
        .find(|line| message(line) == "starting")
        .expect("it says what starts");
    assert_eq!(start["fields"]["version"], env!("CARGO_PKG_VERSION"));
    assert!(
        start["fields"]["database"].is_string() && start["fields"]["mode"] == "Development",
        "{start}"
    );
    let text = std::fs::read_to_string(&serving.log).expect("a log");
    for hidden in ["Hidden", "hidden", "forged", &key, ledgerbell::config::DEMO_SECRET] {
        assert!(!text.contains(hidden), "{hidden} is in the log: {text}");
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_a_line_of_json_where_the_log_is() {
    let database = TestDatabase::make().await;
    let Some(shim) = super::shim::Shim::build(database.directory.path()) else {
        return;
    };
    let place = as_json(&database.url);
    let key = place.key(&database);
    let loaded = shim.loaded(&place, std::path::Path::new("/nowhere"));
    // If the clock is first read for a log line itself, the panic cannot be logged. Then the test repeats with another process.
    let mut lines = Vec::new();
    for _ in 0..8 {
        let serving = loaded.serve(&database, &key).await;
        shim.stop_a_clock();
        let begun = Instant::now();
        while lines.is_empty() && begun.elapsed() < Duration::from_secs(3) {
            tokio::time::sleep(Duration::from_millis(20)).await;
            lines = serving.log_lines();
            lines.retain(|line| message(line) == "panicked");
        }
        assert!(shim.was_clock_read());
        if !lines.is_empty() {
            break;
        }
    }
    let panic = lines.iter().find(|line| message(line) == "panicked").expect("the line");
    assert_eq!(panic["level"], "ERROR");
    assert!(
        panic["fields"]["reason"].is_string() && panic["fields"]["location"].is_string(),
        "{panic}"
    );
}
