//! A pooler in transaction mode between the server and Postgres. These tests need `LEDGERBELL_TEST_POOLER_URL`.

use std::io::Write as _;
use std::time::Duration;

use serde_json::json;

use crate::harness::{Frame, Place, Socket, TestDatabase};

const PATIENCE: Duration = Duration::from_secs(20);
const POSTED: &str = "subscription($id: ID!) { creditEntryPosted(accountId: $id) { signal entry { id } } }";

/// Returns a database and how to reach it through the pooler. Returns `None` with a message without a pooler.
async fn pooled() -> Option<(TestDatabase, Place)> {
    let database = TestDatabase::make().await;
    let Some(url) = database.pooled_url() else {
        let text = "\n!!! SKIPPED: no pooler is named (LEDGERBELL_TEST_POOLER_URL)\n";
        let _ = std::io::stderr().write_all(text.as_bytes());
        return None;
    };
    let place = Place::new(&url);
    Some((database, place))
}

#[tokio::test(flavor = "multi_thread")]
async fn listen_through_a_pooler_is_refused_with_what_to_do() {
    let Some((database, place)) = pooled().await else {
        return;
    };
    place.print(&database, &["migrate"]);
    let refused = place.command(&database, &["serve"]).output().expect("it runs");
    assert_eq!(refused.status.code(), Some(1));
    let complaint = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        complaint.contains("bus.postgres_url") && complaint.contains("bus.kind to nats or none"),
        "{complaint}"
    );
    let doctor = place.command(&database, &["doctor"]).output().expect("it runs");
    let report = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(
        report.contains("the connection goes through a pooler in transaction mode"),
        "{report}"
    );
    assert!(!report.contains("NotificationResponse"), "{report}");
}

/// Each has its own LISTEN, so that each receives the bells of the other.
#[tokio::test(flavor = "multi_thread")]
async fn servers_behind_a_pooler_post_and_hear_of_each_other_by_a_direct_connection() {
    let Some((database, mut place)) = pooled().await else {
        return;
    };
    place
        .settings
        .push(("LEDGERBELL_BUS_POSTGRES_URL", database.url.clone()));
    let key = place.key(&database);
    let serving = place.serve(&database, &key).await;
    let account = serving.account("pooled").await;
    let mut other = Place::new(&place.database_url);
    other.settings.clone_from(&place.settings);
    let neighbor = other.serve(&database, &key).await;
    let mut socket = Socket::ready(&place.base(), &key).await;
    socket.subscribe("s", POSTED, json!({ "id": account })).await;
    // Both at once, so that sessions switch between the servers.
    let grants = (0..200).map(|number| {
        let (serving, account) = (if number % 2 == 0 { &serving } else { &neighbor }, &account);
        async move { serving.grant(account, &format!("pooled {number}"), PATIENCE).await }
    });
    let granted = futures_util::future::join_all(grants).await;
    assert!(granted.iter().all(Result::is_ok), "{granted:?}");
    let mut told = 0;
    while told < 200 {
        if let Frame::Message(message) = socket.frame().await
            && message["payload"]["data"]["creditEntryPosted"]["entry"]["id"].is_string()
        {
            told += 1;
        }
    }
    assert_eq!(super::stored(&database.url).await.len(), 200);
    assert!(place.print(&database, &["verify"]).ends_with(" 0 violations"));
    assert!(serving.terminate().await.0.success() && neighbor.terminate().await.0.success());
}
