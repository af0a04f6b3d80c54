//! Purchases in a hostile world. It consists of the real domain code and stores, and:
//! - a gateway that loses calls and responses, and reports old states;
//! - workers that die or stall between any two steps;
//! - webhooks that are lost, duplicated, late and out of order;
//! - members who press retry, lower the cap, and dispute what they have paid;
//! - refunds that fail later, and operators who correct entries.
//!
//! Everything that happens follows from a seed, so a failing seed fails again. `SIMULATION_SEEDS` is the number of seeds,
//! `SIMULATION_FIRST` the first of them:
//! `SIMULATION_FIRST=17 SIMULATION_SEEDS=1 cargo test --test simulation -- --nocapture` runs one seed again.
//!
//! Worlds are on SQLite, or on the server that `LEDGERBELL_TEST_DATABASE_URL` or `LEDGERBELL_TEST_CITUS_URL` names, as in the
//! integration tests. A server decides which of two concurrent statements is first, so a seed does not repeat exactly there.
//!
//! That the simulation finds faults was tested by breaking the code. Each break, and the first seed of this world that finds
//! it:
//!
//! | Break | Seed |
//! |---|---|
//! | Each attempt creates its own object | 1 |
//! | A missing response counts as a failure | 1 |
//! | A late success is ignored | 21 |
//! | A success that is reported twice credits twice | 1 |
//! | An unconfirmed charge is given up without being canceled at the gateway | 3 |
//! | A customer's time runs out, and the object is not canceled | 9 |
//! | An attempt takes the failure of another attempt | 3 |
//! | The returned amount is the last report, not the largest | 26 |
//! | A decided dispute still holds credits | 12 |
//! | A repeated refund has a different key | 40 |
//! | A later failure of a refund is ignored | 2 |
//! | The money of a refund that failed later is credited twice | 41 |
//! | What an operator took is restored when more money is returned | 44 |
//! | The cap is checked only before the first attempt | 35 |
//! | The rule ignores how often its card was declined | 203 |
//!
//! One break is not found, because it has no effect: workers without a lease. Two may process the same attempt.

mod checks;
#[path = "../it/harness/citus.rs"]
mod citus;
#[allow(dead_code, reason = "the integration tests need more of it")]
#[path = "../it/harness/database.rs"]
mod database;
mod deeds;
mod dice;
mod trace;
mod unreliable;
mod watch;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use tokio::runtime::{Builder, Runtime};

use checks::Tally;
use database::{TestDatabase, postgres_server};
use world::World;

/// Seeds that always run: they find rare breaks. A seed that shows a fault of ours belongs here too.
const ALWAYS: [u64; 8] = [12, 21, 26, 35, 40, 41, 44, 203];

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// Creates SQLite files in memory where the system has a directory for that: thousands are created and deleted.
fn files_in_memory() {
    let shared = Path::new("/dev/shm");
    if shared.is_dir() {
        // The other test may have done it.
        let _ = tempfile::env::override_temp_dir(shared);
    }
}

/// A world has one thread, so that the order of execution is always the same.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// The result of a world, and a digest of everything that happened in it.
struct Life {
    tally: Tally,
    complaints: Vec<String>,
    trace: String,
}

/// Runs the world of a seed on its own database.
fn live(seed: u64) -> Life {
    runtime().block_on(async {
        let mut database = TestDatabase::make().await;
        let mut world = World::make(&database.url, seed).await;
        let mut complaints = world.run().await;
        let (tally, at_the_end) = checks::check(&world).await;
        complaints.extend(at_the_end);
        let trace = world.end().await;
        database.remove().await;
        Life {
            tally,
            complaints,
            trace,
        }
    })
}

#[test]
fn nobody_is_charged_twice_and_no_payment_is_lost() {
    let (first, seeds) = (setting("SIMULATION_FIRST", 1), setting("SIMULATION_SEEDS", 40));
    files_in_memory();
    let next = AtomicU64::new(0);
    let always = ALWAYS.len() as u64;
    let lived = Mutex::new((Tally::default(), Vec::new()));
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::SeqCst);
                    let seed = match ALWAYS.get(usize::try_from(at).unwrap_or(usize::MAX)) {
                        Some(seed) => *seed,
                        None if at - always < seeds => first + at - always,
                        None => return,
                    };
                    let life = catch_unwind(AssertUnwindSafe(|| live(seed)));
                    let mut lived = lived.lock().unwrap_or_else(PoisonError::into_inner);
                    match life {
                        Ok(life) => {
                            lived.0.add(&life.tally);
                            if !life.complaints.is_empty() {
                                lived.1.push((seed, life.complaints.join("; ")));
                            }
                        }
                        // The panic message is on standard error.
                        Err(_) => lived.1.push((seed, "panicked".to_owned())),
                    }
                }
            });
        }
    });
    let (tally, mut found) = lived.into_inner().unwrap_or_else(PoisonError::into_inner);
    let seeds = seeds + always;
    println!("{seeds} seeds: {tally}");
    found.sort();
    let failed: Vec<String> = found
        .iter()
        .map(|(seed, what)| format!("seed {seed}: {what}"))
        .collect();
    assert!(
        failed.is_empty(),
        "{} of {seeds} seeds:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

#[test]
fn a_seed_repeats_exactly_and_others_differ() {
    if postgres_server().is_some() {
        println!("not checked: a seed repeats exactly only on SQLite");
        return;
    }
    files_in_memory();
    let mut traces = Vec::new();
    for seed in 900_001..900_011 {
        let (one, again) = (live(seed), live(seed));
        assert_eq!(one.trace, again.trace, "seed {seed} came to something else");
        traces.push(one.trace);
    }
    traces.sort();
    traces.dedup();
    assert_eq!(traces.len(), 10, "different seeds are different worlds");
}
