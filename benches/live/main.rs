//! The measurements behind the claims about live delivery: `make bench-live`, or
//! `cargo bench --bench live -- [--sockets N] [--accounts N] [--rate N] [--subscribers N] [--seconds N] [--postgres URL]`.
//!
//! Measures, on this machine and in one run:
//! - the resident memory of the server per idle socket with one subscription, at 10,000 sockets;
//! - the time from the commit of a posting to its arrival, at 10,000 sockets over 1,000 accounts and 500 postings per second;
//! - the time from the commit of a completed session to its arrival in the member's inbox, through a socket, at 500 per second;
//! - messages per second to 5,000 subscribers of one account;
//! - the same for a server of npm `graphql-ws` on Node with an in-memory pubsub, which stores nothing and checks no rights.
//!
//! Ledgerbell runs on SQLite, or on the Postgres of `--postgres`, whose database should be empty. The clients are in this
//! process, on the same cores as the server, which is part of every figure. The system must allow slightly more open files than
//! sockets.

#![allow(clippy::print_stdout, reason = "what a benchmark prints is its result")]

mod alerts;
mod fleet;
mod peer;
#[path = "../api/client.rs"]
mod post;
mod server;

use std::time::Duration;

use fleet::{Fleet, Target};
use post::Failure;

/// The sizes of the measurements.
pub(crate) struct Options {
    sockets: usize,
    accounts: usize,
    /// Postings per second.
    rate: u32,
    subscribers: usize,
    time: Duration,
    postgres: Option<String>,
}

impl Options {
    fn from_arguments() -> Self {
        let arguments: Vec<String> = std::env::args().collect();
        let given = |name: &str| {
            let at = arguments.iter().position(|argument| argument == name)?;
            arguments.get(at + 1).cloned()
        };
        let number = |name: &str, default: usize| given(name).and_then(|text| text.parse().ok()).unwrap_or(default);
        Self {
            sockets: number("--sockets", 10_000),
            accounts: number("--accounts", 1_000),
            rate: u32::try_from(number("--rate", 500)).unwrap_or(500),
            subscribers: number("--subscribers", 5_000),
            time: Duration::from_secs(number("--seconds", 10) as u64),
            postgres: given("--postgres"),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let options = Options::from_arguments();
    let ours = server::Server::start(&options).await?;
    measure("ledgerbell", &ours, &options).await?;
    measure_alerts(&ours, &options).await?;
    measure_flood("ledgerbell", &ours, &options).await?;
    drop(ours);
    match peer::Peer::start().await {
        Some(peer) => {
            measure("graphql-ws", &peer, &options).await?;
            measure_flood("graphql-ws", &peer, &options).await?;
        }
        None => println!("SKIPPED: the peer needs node and npm"),
    }
    Ok(())
}

/// Opens a socket for each account, and completes a session in one account after the other.
async fn measure_alerts(server: &server::Server, options: &Options) -> Result<(), Failure> {
    let alerting = alerts::Alerting::prepare(server).await?;
    let fleet = Fleet::open(&alerting, options.accounts, options.accounts).await?;
    let spread = fleet.post(&alerting, options.rate, options.time).await?;
    println!(
        "{:<11} {:>6} sockets, {:>5} accounts, {:>4} sessions/s:  commit to alert  p50 {:>7.1} ms, p99 {:>7.1} ms ({} messages)",
        "ledgerbell", options.accounts, options.accounts, options.rate, spread.p50, spread.p99, spread.messages
    );
    Ok(())
}

async fn measure(name: &str, target: &impl Target, options: &Options) -> Result<(), Failure> {
    let before = target.resident_kib();
    let fleet = Fleet::open(target, options.sockets, options.accounts).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    if let (Some(before), Some(after)) = (before, target.resident_kib()) {
        #[allow(clippy::cast_precision_loss)]
        let each = after.saturating_sub(before) as f64 / options.sockets as f64;
        println!("{name:<11} {:>6} idle sockets: {each:>8.1} KiB each", options.sockets);
    }
    let spread = fleet.post(target, options.rate, options.time).await?;
    println!(
        "{name:<11} {:>6} sockets, {:>5} accounts, {:>4} postings/s: commit to client p50 {:>7.1} ms, p99 {:>7.1} ms ({} messages)",
        options.sockets, options.accounts, options.rate, spread.p50, spread.p99, spread.messages
    );
    Ok(())
}

/// All subscribers follow one account. This runs last, because it fills that account with the maximum number of lots.
async fn measure_flood(name: &str, target: &impl Target, options: &Options) -> Result<(), Failure> {
    let fleet = Fleet::open(target, options.subscribers, 1).await?;
    let one = fleet.flood(target, options.time).await?;
    println!(
        "{name:<11} {:>6} subscribers of one account: {one:>9.0} messages/s\n",
        options.subscribers
    );
    Ok(())
}
