//! A process that cannot recover reports it, and a new process works.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::shim::Shim;
use crate::harness::{Place, TestDatabase};

const PATIENCE: Duration = Duration::from_secs(30);
const MINUTE: i32 = 60;

/// A thread hangs while a worker runs a job. Only the end of the process can end that, since the job cannot be canceled. The other
/// threads continue: probes and signals are answered.
#[tokio::test(flavor = "multi_thread")]
async fn liveness_fails_when_a_worker_hangs_for_good_and_a_new_process_is_live() {
    let database = TestDatabase::make().await;
    let Some(shim) = Shim::build(database.directory.path()) else {
        return;
    };
    let mut place = Place::new(&database.url);
    // The other threads continue, also on a machine with one processor.
    place.settings.push(("TOKIO_WORKER_THREADS", "4".to_owned()));
    let key = place.key(&database);
    let worker = shim
        .loaded(&place, Path::new("/nowhere"))
        .start(&database, &key, &["worker"]);
    worker.until_ready(PATIENCE).await;
    assert!(worker.is_live().await);

    shim.hang_at_the_clock();
    let begun = Instant::now();
    while !shim.has_hung() {
        assert!(begun.elapsed() < PATIENCE, "workers read the clock");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The executable sees eleven minutes pass. Its watchdog tries to cancel the job.
    shim.set_later(11 * MINUTE);
    worker.until_not_ready(PATIENCE).await;
    let answer = worker.health("live").await;
    assert_eq!(answer, json!({ "status": "live" }));
    // The watchdog has had no effect. No other worker has waited long for its job.
    shim.set_later(16 * MINUTE);
    let begun = Instant::now();
    while worker.is_live().await {
        assert!(begun.elapsed() < PATIENCE, "liveness fails");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!worker.is_live().await, "it does not recover");
    let answer = worker.health("live").await;
    assert_eq!(answer["status"], "stuck", "{answer}");
    let stuck = answer["workers"].as_array().expect("a list");
    assert_eq!(stuck.len(), 1, "the others go on: {answer}");

    // Signals are answered as well. Waits of the system use the clock that the library changes for the executable.
    shim.set_later(0);
    let (_, took) = worker.terminate().await;
    assert!(took < Duration::from_secs(10), "{took:?}");
    let worker = place.start(&database, &key, &["worker"]);
    worker.until_ready(PATIENCE).await;
    assert_eq!(worker.health("live").await, json!({ "status": "live" }));
    assert!(worker.terminate().await.0.success());
}
