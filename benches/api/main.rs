//! The measurements behind the performance claims: `make bench`, or
//! `cargo bench --bench api -- [--seconds N] [--postgres URL]`.
//!
//! Measures, on this machine and in one run:
//! - postings per second through the HTTP API (one `adjustCredits` per request) at 1, 16 and 64 clients, spread over 1,000
//!   accounts and all on one, on SQLite and on Postgres; for comparison `pgbench`, which writes the same rows to the same
//!   tables with one plain transaction per posting;
//! - pages of the credit log per second at 10,000 and at 1,000,000 entries in the account.
//!
//! Figures cannot be compared across machines; the ratios can. Postgres is taken from `--postgres` or
//! `LEDGERBELL_TEST_POSTGRES_URL`, otherwise from the default port. Without Postgres or `pgbench` these parts are skipped with
//! a message.

#![allow(clippy::print_stdout, reason = "what a benchmark prints is its result")]

mod client;
mod log_pages;
mod peer;
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use client::{Connection, Failure};
use server::Server;

const CLIENTS: [usize; 3] = [1, 16, 64];
const ACCOUNTS: usize = 1_000;

struct Options {
    seconds: u64,
    postgres: String,
}

impl Options {
    fn from_arguments() -> Self {
        let arguments: Vec<String> = std::env::args().collect();
        let given = |name: &str| {
            let at = arguments.iter().position(|argument| argument == name)?;
            arguments.get(at + 1).cloned()
        };
        let postgres = given("--postgres").or_else(|| std::env::var("LEDGERBELL_TEST_POSTGRES_URL").ok());
        Self {
            seconds: given("--seconds").and_then(|text| text.parse().ok()).unwrap_or(8),
            postgres: postgres.unwrap_or_else(|| "postgres://postgres@127.0.0.1:5432/postgres".to_owned()),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let options = Options::from_arguments();
    println!("postings a second through HTTP, {} s each\n", options.seconds);
    println!(
        "{:<10} {:<16} {:>8} {:>12} {:>12} {:>8}",
        "database", "accounts", "clients", "ledgerbell", "pgbench", "ratio"
    );

    let directory = tempfile::tempdir()?;
    let sqlite = Server::start(directory.path(), None).await?;
    measure(&sqlite, "sqlite", &options, |_, _| None).await?;
    log_pages::measure(&sqlite, "sqlite").await?;
    sqlite.stop().await?;

    let Some(databases) = peer::Databases::create(&options.postgres).await else {
        println!("SKIPPED: Postgres is not reachable at {}", options.postgres);
        return Ok(());
    };
    let directory = tempfile::tempdir()?;
    let postgres = Server::start(directory.path(), Some(&databases.ours)).await?;
    let peer = peer::prepare(&databases, ACCOUNTS).await;
    if peer.is_none() {
        println!("SKIPPED: pgbench is not installed");
    }
    measure(&postgres, "postgres", &options, |accounts, clients| {
        peer.as_ref()
            .and_then(|peer| peer.rate(accounts, clients, options.seconds))
    })
    .await?;
    log_pages::measure(&postgres, "postgres").await?;
    postgres.stop().await?;
    databases.drop().await;
    Ok(())
}

/// Measures every number of clients, spread over accounts and on one account.
async fn measure(
    server: &Server,
    database: &str,
    options: &Options,
    peer_rate: impl Fn(usize, usize) -> Option<f64>,
) -> Result<(), Failure> {
    let accounts = Arc::new(server.create_accounts(ACCOUNTS).await?);
    for spread in [ACCOUNTS, 1] {
        for clients in CLIENTS {
            let ours = posting_rate(server, &accounts, spread, clients, Duration::from_secs(options.seconds)).await?;
            let theirs = peer_rate(spread, clients);
            println!(
                "{database:<10} {:<16} {clients:>8} {ours:>12.0} {:>12} {:>8}",
                if spread == 1 {
                    "one".to_owned()
                } else {
                    format!("spread over {spread}")
                },
                theirs.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.0}")),
                theirs.map_or_else(|| "-".to_owned(), |rate| format!("{:.2} x", ours / rate)),
            );
        }
    }
    Ok(())
}

/// Returns the postings per second of `clients` connections. Each sends the next request after the last response.
async fn posting_rate(
    server: &Server,
    accounts: &Arc<Vec<String>>,
    spread: usize,
    clients: usize,
    time: Duration,
) -> Result<f64, Failure> {
    let done = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let mut tasks = Vec::new();
    for client in 0..clients {
        let (accounts, done) = (Arc::clone(accounts), Arc::clone(&done));
        let mut connection = Connection::open(&server.address, &server.api_key).await?;
        tasks.push(tokio::spawn(async move {
            let run = uuid::Uuid::new_v4();
            let mut number = client;
            while started.elapsed() < time {
                let account = &accounts[number * 7_919 % spread];
                let key = format!("{run}-{number}");
                let answer = connection
                    .query(
                        "mutation P($i: AdjustCreditsInput!) { adjustCredits(input: $i) { entry { id } userErrors { code } } }",
                        &serde_json::json!({"i": {
                            "accountId": account, "amount": "-0.0001", "description": "Bench", "idempotencyKey": key,
                        }}),
                    )
                    .await?;
                if !answer.contains("\"userErrors\":[]") {
                    return Err(Failure::from(format!("a posting was refused: {answer}")));
                }
                done.fetch_add(1, Ordering::Relaxed);
                number += clients;
            }
            Ok(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    #[allow(clippy::cast_precision_loss)]
    Ok(done.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64())
}
