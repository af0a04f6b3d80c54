//! A server that is killed while it sends messages to a webhook endpoint.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::killed::kills;
use crate::harness::{Place, Serving, TestDatabase};
use crate::webhook_endpoints::receiver::Receiver;

/// Entries that are posted in each round.
const ENTRIES: usize = 12;

async fn create_endpoint(serving: &Serving, url: &str) {
    let input = json!({ "url": url, "eventTypes": ["CREDIT_ENTRY_POSTED"] });
    let fields = "webhookEndpoint { id }";
    serving.client.apply("createWebhookEndpoint", fields, input).await;
}

async fn entries(serving: &Serving, account: &str) -> HashSet<String> {
    let query = "query ($id: ID) { account(id: $id) { creditLog(first: 100) { nodes { id } } } }";
    let answer = serving.client.query(query, json!({ "id": account })).await;
    let nodes = answer.at("/account/creditLog/nodes").as_array().expect("a list");
    nodes
        .iter()
        .map(|node| node["id"].as_str().expect("an id").to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_message_is_lost_when_a_server_is_killed() {
    let (database, receiver) = (TestDatabase::make().await, Receiver::start().await);
    let mut place = Place::new(&database.url);
    place.settings = vec![
        (
            "LEDGERBELL_WEBHOOK_ENDPOINTS_ALLOWED_NETWORKS",
            "127.0.0.0/8".to_owned(),
        ),
        ("LEDGERBELL_WEBHOOK_ENDPOINTS_TIMEOUT_MS", "1000".to_owned()),
    ];
    let key = place.key(&database);
    let mut accounts = Vec::new();
    for round in 0..kills() {
        let serving = place.serve(&database, &key).await;
        if round == 0 {
            create_endpoint(&serving, &receiver.url("/in")).await;
        }
        let account = serving.account(&format!("killed {round}")).await;
        for number in 0..ENTRIES {
            let key = format!("{round} {number}");
            serving
                .grant(&account, &key, Duration::from_secs(10))
                .await
                .expect("granted");
        }
        accounts.push(account);
        // At a different moment in each round: while messages are written, claimed, sent and recorded.
        tokio::time::sleep(Duration::from_millis((round * 13) % 100)).await;
        serving.kill_now();
    }
    let delivered_before = receiver.received("/in").len();
    let serving = place.serve(&database, &key).await;
    let mut missing = HashSet::new();
    for account in &accounts {
        missing.extend(entries(&serving, account).await);
    }
    let posted = missing.len();
    assert_eq!(posted, accounts.len() * ENTRIES);
    let begun = Instant::now();
    while !missing.is_empty() {
        assert!(
            begun.elapsed() < Duration::from_mins(1),
            "{} messages are lost",
            missing.len()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
        for received in receiver.received("/in") {
            let body: Value = received.json();
            missing.remove(body["data"]["entryId"].as_str().expect("an id"));
        }
    }
    let arrived = receiver.received("/in").len();
    println!(
        "kill -9, {} times: {posted} events, 0 lost, {} arrived twice, {} after the last start",
        kills(),
        arrived - posted,
        arrived - delivered_before
    );
    assert!(place.print(&database, &["verify"]).ends_with(" 0 violations"));
}
