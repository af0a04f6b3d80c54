//! Compares the processor time of operations with their prices: `make bench-prices`.
//!
//! Runs each operation in this process, on a SQLite database with one busy account, until it has used enough processor time to
//! be measured. Prints its price, its milliseconds and the units per millisecond. Prices are fair when the last figure is about
//! the same everywhere. `operations.rs` contains the figures of one run, and a test compares the prices with them.
//!
//! `-- --entries N` sets the number of past sessions of the account. `-- --only TEXT` runs the operations whose names contain
//! the text.

#![allow(clippy::print_stdout, reason = "what a benchmark prints is its result")]

mod ground;
mod operations;

use std::time::{Duration, Instant};

use ground::Ground;
use operations::{MEASURED, OPERATIONS};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The processor time for which each operation is run, so that clock ticks of 10 ms do not matter.
const ENOUGH_MILLIS: f64 = 600.0;
/// The real time after which an operation is not run again, whatever processor time it used.
const PATIENCE: Duration = Duration::from_secs(6);

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().collect();
    let given = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let sessions = given("--entries").and_then(|text| text.parse().ok()).unwrap_or(5_000);
    let only = given("--only").unwrap_or_default();
    let directory = tempfile::tempdir()?;
    let ground = Box::pin(Ground::open(directory.path(), sessions)).await?;
    println!("Before: {MEASURED}");
    println!(
        "{:<34} {:>8} {:>12} {:>12} {:>10} {:>12}",
        "operation", "units", "CPU ms", "before", "bytes", "units/CPU ms"
    );
    for operation in OPERATIONS.iter().filter(|operation| operation.name.contains(&only)) {
        let (units, bytes) = ground.run(operation, 0).await?;
        let (begun, used) = (Instant::now(), processor_millis()?);
        let mut runs = 0_u32;
        let millis = loop {
            runs += 1;
            ground.run(operation, runs).await?;
            let millis = processor_millis()? - used;
            if millis >= ENOUGH_MILLIS || begun.elapsed() >= PATIENCE {
                break millis / f64::from(runs);
            }
        };
        #[allow(clippy::cast_precision_loss, reason = "prices are small")]
        let rate = units as f64 / millis;
        println!(
            "{:<34} {units:>8} {millis:>12.3} {:>12.3} {bytes:>10} {rate:>12.0}",
            operation.name, operation.millis
        );
    }
    Box::pin(ground.end()).await
}

/// Returns the processor time of this process with all its threads, in milliseconds.
fn processor_millis() -> Result<f64, Failure> {
    /// Clock ticks per second. Linux reports 100 on every architecture.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, after_name) = stat.rsplit_once(')').ok_or("no name in /proc/self/stat")?;
    let ticks = after_name.split_whitespace().skip(11).take(2);
    let ticks: f64 = ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    Ok(ticks * 1_000.0 / TICKS)
}
