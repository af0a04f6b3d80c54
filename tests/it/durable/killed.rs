//! A server that is killed under load.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::check;
use crate::harness::{Place, Serving, TestDatabase};

const WRITERS: usize = 4;

pub(super) fn kills() -> u64 {
    std::env::var("LEDGERBELL_TEST_KILLS")
        .ok()
        .and_then(|kills| kills.parse().ok())
        .unwrap_or(8)
}

/// Grants until the server is gone.
async fn write(serving: Arc<Serving>, account: String, name: String, acknowledged: Arc<Mutex<HashSet<String>>>) {
    for number in 0.. {
        let key = format!("{name} {number}");
        match serving.grant(&account, &key, Duration::from_secs(10)).await {
            Ok(()) => _ = acknowledged.lock().await.insert(key),
            Err(_) => return,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_before_a_kill_is_there() {
    let database = TestDatabase::make().await;
    let place = Place::new(&database.url);
    let key = place.key(&database);
    let acknowledged = Arc::new(Mutex::new(HashSet::new()));
    for round in 0..kills() {
        let serving = Arc::new(place.serve(&database, &key).await);
        // Each grant is a lot, and the number of lots of an account has a bound.
        let account = serving.account(&format!("killed {round}")).await;
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let name = format!("{round} {writer}");
            writers.spawn(write(
                Arc::clone(&serving),
                account.clone(),
                name,
                Arc::clone(&acknowledged),
            ));
        }
        // At a different moment in each round, but not before a grant could be lost.
        let enough = acknowledged.lock().await.len() + 3;
        let load = async {
            while acknowledged.lock().await.len() < enough {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), load)
            .await
            .expect("there is load");
        tokio::time::sleep(Duration::from_millis((round * 37) % 150)).await;
        serving.kill_now();
        while writers.join_next().await.is_some() {}
    }
    let acknowledged = acknowledged.lock().await;
    assert!(
        acknowledged.len() as u64 > kills(),
        "there was load: {}",
        acknowledged.len()
    );
    check(&format!("kill -9, {} times", kills()), &database.url, &acknowledged, "").await;
    assert!(place.print(&database, &["verify"]).ends_with(" 0 violations"));
}
