//! A machine whose clock is wrong for some time.

use std::time::{Duration, Instant};

use ledgerbell::primitives::clock::Clock;
use serde_json::json;

use super::shim::Shim;
use crate::harness::{Place, TestDatabase};

const PATIENCE: Duration = Duration::from_secs(20);
const DAY: i32 = 26 * 60 * 60;

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_a_day_ahead_for_seconds_is_not_followed_and_the_doctor_says_so() {
    let database = TestDatabase::make().await;
    let Some(shim) = Shim::build(database.directory.path()) else {
        return;
    };
    let place = Place::new(&database.url);
    let key = place.key(&database);
    let loaded = shim.loaded(&place, std::path::Path::new("/nowhere"));
    let has_its_own_clock = database.url.starts_with("postgres");
    if has_its_own_clock {
        shim.set_clock_ahead(DAY);
        for role in ["serve", "worker"] {
            let refused = loaded.command(&database, &[role]).output().expect("it runs");
            let complaint = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert_eq!(refused.status.code(), Some(1), "{role}: {complaint}");
            assert!(complaint.contains("s ahead of the database's"), "{role}: {complaint}");
        }
        shim.set_clock_ahead(0);
    }
    let serving = loaded.serve(&database, &key).await;
    let account = serving.account("clock").await;
    serving.grant(&account, "before", PATIENCE).await.expect("granted");
    shim.set_clock_ahead(DAY);
    serving.grant(&account, "meanwhile", PATIENCE).await.expect("granted");
    let begun = Instant::now();
    while !serving.metrics().await.contains("ledgerbell_clock_jumps_total 1\n") {
        assert!(begun.elapsed() < PATIENCE, "it is counted");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let doctor = place.command(&database, &["doctor"]).output().expect("it runs");
    let report = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(
        report.contains("this machine's clock has jumped ahead by minutes 1 times"),
        "{report}"
    );
    assert!(serving.is_ready().await);
    let mut entries_expected = 3;
    if has_its_own_clock {
        // A lasting step is followed only where the database's clock confirms it.
        shim.set_later(3 * 60);
        serving.grant(&account, "for long", PATIENCE).await.expect("granted");
        entries_expected = 4;
    }
    shim.set_clock_ahead(0);
    serving.grant(&account, "after", PATIENCE).await.expect("granted");
    let query = "query($id: ID!) { account(id: $id) { creditLog(first: 10) { nodes { occurredAt } } } }";
    let log = serving.client.query(query, json!({ "id": account })).await;
    let latest = Clock::system().now().plus_millis(4 * 60_000).to_string();
    let entries = log.at("/account/creditLog/nodes").as_array().expect("entries").clone();
    assert_eq!(entries.len(), entries_expected);
    for entry in entries {
        let at = entry["occurredAt"].as_str().expect("a time");
        assert!(at < latest.as_str(), "{at}, and it is {latest}");
    }
}
