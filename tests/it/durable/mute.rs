//! Connections to Postgres that stay open without a response.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde_json::json;

use super::check;
use crate::harness::{Frame, Place, Proxy, Serving, Socket, TestDatabase, address_of, by_way_of, postgres_server};

/// The time limit for recovery when new connections work.
const RECOVERS_WITHIN: Duration = Duration::from_secs(30);
const POSTED: &str = "subscription($id: ID!) { creditEntryPosted(accountId: $id) { cursor signal entry { id } } }";

/// Waits for an event about an entry.
async fn told(socket: &mut Socket) {
    loop {
        if let Frame::Message(message) = socket.frame().await
            && message["payload"]["data"]["creditEntryPosted"]["entry"]["id"].is_string()
        {
            return;
        }
    }
}

async fn grants(serving: &Serving, account: &str, name: &str, count: usize, acknowledged: &mut HashSet<String>) {
    for number in 0..count {
        let key = format!("{name} {number}");
        serving
            .grant(account, &key, RECOVERS_WITHIN)
            .await
            .expect("the network is well");
        acknowledged.insert(key);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_go_mute_are_replaced_and_nothing_waits_for_them_for_long() {
    if postgres_server().is_none() {
        return;
    }
    let database = TestDatabase::make().await;
    let proxy = Proxy::start(address_of(&database.url)).await;
    let place = Place::new(&by_way_of(&database.url, &proxy.address));
    let key = place.key(&database);
    let serving = place.serve(&database, &key).await;
    let direct = Place::new(&database.url);
    let neighbor = direct.serve(&database, &key).await;
    let account = serving.account("mute").await;
    let mut acknowledged = HashSet::new();
    grants(&serving, &account, "before", 20, &mut acknowledged).await;
    let mut socket = Socket::ready(&place.base(), &key).await;
    socket.subscribe("s", POSTED, json!({ "id": account })).await;
    grants(&neighbor, &account, "heard", 1, &mut acknowledged).await;
    told(&mut socket).await;

    let begun = Instant::now();
    let before = proxy.made();
    proxy.mute_open_ones();
    // Many at once, so that all connections are in use.
    let at_once = (0..12).map(|number| {
        let (serving, account) = (&serving, &account);
        async move {
            let key = format!("mute {number}");
            let took = serving.until_granted(account, &key, begun).await;
            (key, took)
        }
    });
    let mut recovered = Duration::ZERO;
    for (key, took) in futures_util::future::join_all(at_once).await {
        acknowledged.insert(key);
        recovered = recovered.max(took);
    }
    assert!(recovered < RECOVERS_WITHIN, "{recovered:?}");
    assert!(proxy.made() > before, "there are new connections");
    grants(&neighbor, &account, "heard again", 1, &mut acknowledged).await;
    tokio::time::timeout(RECOVERS_WITHIN, told(&mut socket))
        .await
        .expect("the event is told");
    let heard = begun.elapsed();
    assert!(heard < RECOVERS_WITHIN, "{heard:?}");
    assert!(serving.is_ready().await);
    grants(&serving, &account, "after", 20, &mut acknowledged).await;
    let rest = format!(
        "postings after {} ms, live events within {} ms",
        recovered.as_millis(),
        heard.as_millis()
    );
    check(
        "open connections go mute, new ones work",
        &database.url,
        &acknowledged,
        &rest,
    )
    .await;

    proxy.mute_all();
    let begun = Instant::now();
    while serving.is_ready().await {
        assert!(begun.elapsed() < RECOVERS_WITHIN, "it notices");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let noticed = begun.elapsed();
    let (_, took) = serving.terminate().await;
    assert!(took < Duration::from_secs(10), "{took:?}");
    let rest = format!(
        "not ready after {} ms, SIGTERM ends it in {} ms",
        noticed.as_millis(),
        took.as_millis()
    );
    check("all connections mute", &database.url, &acknowledged, &rest).await;
    assert!(neighbor.terminate().await.0.success());
}
