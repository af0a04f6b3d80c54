//! Purchases in a hostile world. It consists of the real domain code and stores on SQLite, and:
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
mod deeds;
mod dice;
mod trace;
mod unreliable;
mod watch;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use ledgerbell::adapters::database::{OpenOptions, migrate, open};
use tokio::runtime::{Builder, Runtime};

use checks::Tally;
use world::World;

/// Seeds that always run: they find rare breaks. A seed that shows a fault of ours belongs here too.
const ALWAYS: [u64; 8] = [12, 21, 26, 35, 40, 41, 44, 203];

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// Returns a directory in memory where the system has one: thousands of databases are created and deleted.
fn scratch_directory() -> tempfile::TempDir {
    let shared = Path::new("/dev/shm");
    if shared.is_dir() {
        tempfile::tempdir_in(shared).expect("a directory")
    } else {
        tempfile::tempdir().expect("a directory")
    }
}

/// A world has one thread, so that the order of execution is always the same.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Creates a migrated database, which is copied for each world.
fn template(directory: &Path) -> PathBuf {
    let file = directory.join("template.db");
    let url = format!("sqlite://{}?mode=rwc", file.display());
    runtime().block_on(async {
        let database = open(&url, OpenOptions::default()).await.expect("opens");
        migrate(&database).await.expect("migrates");
        database.close().await.expect("closes");
    });
    file
}

/// The result of a world, and a digest of everything that happened in it.
struct Life {
    tally: Tally,
    complaints: Vec<String>,
    trace: String,
}

/// Runs the world of a seed on its own file.
fn live(template: &Path, name: &str, seed: u64) -> Life {
    let file = template.with_file_name(format!("{name}.db"));
    std::fs::copy(template, &file).expect("copies");
    let life = runtime().block_on(async {
        let mut world = World::make(&file, seed).await;
        let mut complaints = world.run().await;
        let (tally, at_the_end) = checks::check(&world).await;
        complaints.extend(at_the_end);
        let trace = world.end().await;
        Life {
            tally,
            complaints,
            trace,
        }
    });
    for suffix in ["", "-wal", "-shm"] {
        // A missing file needs no removal.
        let _ = std::fs::remove_file(format!("{}{suffix}", file.display()));
    }
    life
}

#[test]
fn nobody_is_charged_twice_and_no_payment_is_lost() {
    let (first, seeds) = (setting("SIMULATION_FIRST", 1), setting("SIMULATION_SEEDS", 40));
    let directory = scratch_directory();
    let template = template(directory.path());
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
                    let life = catch_unwind(AssertUnwindSafe(|| live(&template, &at.to_string(), seed)));
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
    let directory = scratch_directory();
    let template = template(directory.path());
    let mut traces = Vec::new();
    for seed in 900_001..900_011 {
        let (one, again) = (live(&template, "one", seed), live(&template, "again", seed));
        assert_eq!(one.trace, again.trace, "seed {seed} came to something else");
        traces.push(one.trace);
    }
    traces.sort();
    traces.dedup();
    assert_eq!(traces.len(), 10, "different seeds are different worlds");
}
