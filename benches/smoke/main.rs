//! Counts the instructions of some operations and compares them with counts in this file: `make bench-smoke`.
//!
//! Time depends on the machine and on its other work; the number of instructions hardly does. So this is a test: an operation
//! that needs a tenth more than before fails. It runs without optimization, as all tests do, and needs no second compilation of
//! everything: the counts serve for comparison with themselves alone.
//!
//! Without arguments, this program makes a database, runs itself in valgrind, and compares. callgrind writes what it has
//! counted until then, of all threads, each time that [`lap`] is called.

#![allow(clippy::print_stdout, reason = "what a benchmark prints is its result")]

#[path = "../prices/ground.rs"]
mod ground;
#[path = "../prices/operations.rs"]
#[allow(dead_code, reason = "the list and its times are for prices")]
mod operations;

use std::hint::black_box;
use std::path::Path;
use std::process::Command;

use futures_util::StreamExt;
use ground::{Ground, caller};
use ledgerbell::graphql::Live;
use operations::{Operation, Who};
use serde_json::json;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Sessions of the account before.
const SESSIONS: usize = 100;
/// How often an operation runs before it is counted: statements are prepared and documents cached.
const WARM_UP: usize = 4;
/// How often an operation is counted.
const RUNS: usize = 15;
/// The committed counts may be exceeded by this part, in percent.
const TOLERANCE: u64 = 10;

/// An operation with its committed count.
struct Counted {
    name: &'static str,
    /// Instructions of one run.
    instructions: u64,
    run: Run,
}

enum Run {
    Operation(Operation),
    /// An entry is posted while a subscription follows the log, until its message arrives.
    Message,
    /// A document that the guard has not seen before is checked.
    Check,
}

const PAGE: &str = "query P($id: ID!) { account(id: $id) { creditLog(first: 50) { pageInfo { endCursor } nodes { id sequence \
    occurredAt kind amount balanceAfter description actor { label } member { name } session { title } } } } }";

const POSTING: Operation = asked(
    Who::Platform,
    "mutation G($id: ID, $key: String!) { grantCredits(input: {accountId: $id, credits: \"1\", description: \"x\", \
     idempotencyKey: $key}) { entry { id amount } userErrors { code } } }",
);

const LOG: &str =
    "subscription S($id: ID!) { creditEntryPosted(accountId: $id) { signal cursor entry { id amount balanceAfter } } }";

const COUNTED: &[Counted] = &[
    Counted {
        name: "a page of 50 entries",
        instructions: 10_252_000,
        run: Run::Operation(asked(Who::Owner, PAGE)),
    },
    Counted {
        name: "a posting",
        instructions: 2_748_000,
        run: Run::Operation(POSTING),
    },
    Counted {
        name: "a posting and its live message",
        instructions: 3_870_000,
        run: Run::Message,
    },
    Counted {
        name: "the check of a new document",
        instructions: 828_000,
        run: Run::Check,
    },
];

const fn asked(who: Who, document: &'static str) -> Operation {
    Operation {
        name: "",
        millis: 0.0,
        document,
        who,
        entries: 0,
    }
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().position(|argument| argument == "--count") {
        Some(at) => count(Path::new(arguments.get(at + 1).ok_or("a directory")?)),
        None => compare(),
    }
}

/// Makes the database, has itself counted, and compares.
fn compare() -> Result<(), Failure> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        return Err("valgrind is not installed (apt-get install valgrind)".into());
    }
    let directory = tempfile::tempdir()?;
    runtime()?.block_on(async {
        let ground = Box::pin(Ground::open(directory.path(), SESSIONS)).await?;
        Box::pin(ground.end()).await
    })?;
    let counts = directory.path().join("counts");
    let finished = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind", "--dump-before=smoke::lap*"])
        .arg(format!("--callgrind-out-file={}", counts.display()))
        .arg(std::env::current_exe()?)
        .arg("--count")
        .arg(directory.path())
        .status()?;
    if !finished.success() {
        return Err(format!("the counted program ended with {finished}").into());
    }
    let mut has_grown = false;
    println!(
        "{:<34} {:>14} {:>14} {:>8}",
        "instructions of", "counted", "committed", ""
    );
    for (n, counted) in COUNTED.iter().enumerate() {
        // The first part is what ran before any operation; then each operation has its warm-up, and each of its runs.
        let first = 3 + n * (RUNS + 1);
        let mut runs: Vec<u64> = (first..first + RUNS)
            .map(|number| part(&counts, number))
            .collect::<Result<_, _>>()?;
        // SQLite copies its log into the database now and then, so there are runs that count more.
        let (_, instructions, _) = runs.select_nth_unstable(RUNS / 2);
        let instructions = *instructions;
        let grows = instructions > counted.instructions + counted.instructions * TOLERANCE / 100;
        let shrinks = instructions < counted.instructions - counted.instructions * TOLERANCE / 100;
        let remark = match (grows, shrinks) {
            (true, _) => "more than a tenth above: find out why, or commit this count with its reason",
            (_, true) => "more than a tenth below: commit this count",
            _ => "",
        };
        println!(
            "{:<34} {instructions:>14} {:>14} {remark}",
            counted.name, counted.instructions
        );
        has_grown |= grows;
    }
    if has_grown {
        return Err("an operation needs more instructions than before".into());
    }
    Ok(())
}

/// Returns the number of instructions in a part of callgrind's output.
fn part(counts: &Path, number: usize) -> Result<u64, Failure> {
    let path = format!("{}.{number}", counts.display());
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let totals = text.lines().find_map(|line| line.strip_prefix("totals: "));
    Ok(totals.ok_or("no totals")?.trim().parse()?)
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// Runs every operation, with a lap before its warm-up, before each run, and after the last.
fn count(directory: &Path) -> Result<(), Failure> {
    runtime()?.block_on(async {
        let ground = Box::pin(Ground::open(directory, SESSIONS)).await?;
        let mut keys = 0..;
        for counted in COUNTED {
            let mut live = match counted.run {
                Run::Message => Some(follow(&ground).await?),
                Run::Operation(_) | Run::Check => None,
            };
            lap();
            for (run, key) in keys.by_ref().take(WARM_UP + RUNS).enumerate() {
                if run >= WARM_UP {
                    lap();
                }
                match &counted.run {
                    Run::Operation(operation) => {
                        ground.run(operation, key).await?;
                    }
                    Run::Message => {
                        ground.run(&POSTING, key).await?;
                        received(live.as_mut().ok_or("a subscription")?).await?;
                    }
                    Run::Check => {
                        ground.check(&format!("{PAGE} # {key}"), json!({"id": ground.account}))?;
                    }
                }
            }
        }
        lap();
        Box::pin(ground.end()).await
    })
}

/// Subscribes to the log.
async fn follow(ground: &Ground) -> Result<Live, Failure> {
    let checked = ground.check(LOG, json!({"id": ground.account}))?;
    let live = ground.schema.subscribe(checked, caller(ground.owner.clone())).await;
    live.map_err(|refused| format!("{refused:?}").into())
}

/// Waits for the message of one entry.
async fn received(live: &mut Live) -> Result<(), Failure> {
    loop {
        let message = live.next().await.ok_or("the subscription ended")?;
        let message = message.map_err(|end| format!("{end:?}"))?;
        if message.payload.contains("\"amount\"") {
            return Ok(());
        }
    }
}

/// callgrind ends a part when this is called.
#[inline(never)]
fn lap() {
    black_box(());
}
