//! Purchases in a hostile world: the real domain code and stores on SQLite, a gateway that loses calls and answers, workers that
//! die or fall asleep between any two steps, webhooks that are lost, doubled, late and out of order, people who press retry.
//!
//! Everything that happens follows from a seed. `SIMULATION_SEEDS` says how many are run, `SIMULATION_FIRST` which is the first:
//! `SIMULATION_FIRST=17 SIMULATION_SEEDS=1 cargo test --test simulation -- --nocapture` runs one again.

mod checks;
mod dice;
mod unreliable;
mod world;

use std::path::{Path, PathBuf};

use ledgerbell::adapters::database::{OpenOptions, migrate, open};

use world::World;

/// Things that happen in one world.
const STEPS: u64 = 60;
/// Worlds at the same time.
const AT_ONCE: usize = 4;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// In memory where the system has such a place: thousands of databases are made and thrown away.
fn scratch_directory() -> tempfile::TempDir {
    let shared = Path::new("/dev/shm");
    if shared.is_dir() {
        tempfile::tempdir_in(shared).expect("a directory")
    } else {
        tempfile::tempdir().expect("a directory")
    }
}

async fn migrated(directory: &Path) -> PathBuf {
    let file = directory.join("template.db");
    let url = format!("sqlite://{}?mode=rwc", file.display());
    let database = open(&url, OpenOptions::default()).await.expect("opens");
    migrate(&database).await.expect("migrates");
    database.close().await.expect("closes");
    file
}

async fn live(template: PathBuf, seed: u64) -> Result<checks::Tally, String> {
    let file = template.with_file_name(format!("{seed}.db"));
    std::fs::copy(&template, &file).expect("copies");
    let mut world = World::make(&file, seed).await;
    world.run(STEPS).await;
    let checked = checks::check(&world).await;
    world.end().await;
    for suffix in ["", "-wal", "-shm"] {
        // What is not there need not go.
        let _ = std::fs::remove_file(format!("{}{suffix}", file.display()));
    }
    checked.map_err(|complaints| format!("seed {seed}: {}", complaints.join("; ")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_charged_twice_and_no_payment_is_lost() {
    let (first, seeds) = (setting("SIMULATION_FIRST", 1), setting("SIMULATION_SEEDS", 40));
    let directory = scratch_directory();
    let template = migrated(directory.path()).await;
    let mut tally = checks::Tally::default();
    let mut found = Vec::new();
    let mut running = tokio::task::JoinSet::new();
    let mut next = first;
    while next < first + seeds || !running.is_empty() {
        while running.len() < AT_ONCE && next < first + seeds {
            let (template, seed) = (template.clone(), next);
            running.spawn(async move {
                let lived = tokio::spawn(live(template, seed)).await;
                lived.unwrap_or_else(|panic| Err(format!("seed {seed}: {panic}")))
            });
            next += 1;
        }
        match running.join_next().await {
            Some(Ok(Ok(one))) => tally.add(&one),
            Some(Ok(Err(complaint))) => found.push(complaint),
            Some(Err(panic)) => found.push(panic.to_string()),
            None => {}
        }
    }
    println!("{seeds} seeds: {tally:?}");
    found.sort();
    assert!(
        found.is_empty(),
        "{} of {seeds} seeds:\n{}",
        found.len(),
        found.join("\n")
    );
}
