//! Two servers on one Postgres with many kinds of faults: every subscriber still receives every event once and in order.
//!
//! Servers are killed. Connections that receive bells are cut. One of the servers receives no bells at all. Clients disconnect.
//! Transactions roll back or take long. The events that subscribers receive are compared with the table of events.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ledgerbell::primitives::actor::{Permission, Side};
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::harness::{Client, Frame, Socket, TestApp, environment, execute, postgres_server};

const LASTS: Duration = Duration::from_secs(20);
const SUBSCRIBERS: usize = 4;
const WRITERS: usize = 2;
/// Longer than a server needs to start and every subscriber needs to catch up.
const PATIENCE: Duration = Duration::from_secs(30);

const ENTRIES: &str = "subscription ($after: LiveCursor) { creditEntryPosted(after: $after) {
    cursor signal entry { sequence } } }";

/// A server in a separate process, on a port that it keeps.
struct Server {
    base: String,
    bell: &'static str,
    database_url: String,
    process: Mutex<Child>,
}

impl Server {
    async fn start(database_url: &str, bell: &'static str) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .expect("a port")
            .local_addr()
            .expect("an address")
            .port();
        let base = format!("http://127.0.0.1:{port}");
        let process = Mutex::new(spawn(&base, bell, database_url));
        let server = Self {
            base,
            bell,
            database_url: database_url.to_owned(),
            process,
        };
        server.is_ready().await;
        server
    }

    /// Kills it as `kill -9` does, and starts another one on the same port.
    async fn kill(&self) {
        let mut process = self.process.lock().await;
        process.kill().await.expect("killed");
        *process = spawn(&self.base, self.bell, &self.database_url);
        self.is_ready().await;
    }

    async fn is_ready(&self) {
        let client = Client::new(&self.base, None);
        let begun = Instant::now();
        while !client
            .get("/health/ready")
            .send()
            .await
            .is_ok_and(|answer| answer.status().is_success())
        {
            assert!(begun.elapsed() < PATIENCE, "the server starts");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn spawn(base: &str, bell: &str, database_url: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_ledgerbell"))
        .arg("serve")
        .env("LEDGERBELL_MODE", "development")
        .env("LEDGERBELL_LISTEN", base.trim_start_matches("http://"))
        .env("LEDGERBELL_DATABASE_URL", database_url)
        .env("LEDGERBELL_DATABASE_MAX_CONNECTIONS", "8")
        .env("LEDGERBELL_BUS_KIND", bell)
        .env("LEDGERBELL_LOG_LEVEL", "error")
        .envs(environment())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("the server starts")
}

/// What all tasks share.
struct Chaos {
    servers: [Server; 2],
    is_over: AtomicBool,
    hangups: AtomicUsize,
    breaks: AtomicUsize,
}

impl Chaos {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// Posts until the end. A request without a response is sent again with its key, to the other server.
    async fn write(&self, name: String, account_id: String, credential: String) {
        let mutation =
            "mutation ($input: AdjustCreditsInput!) { adjustCredits(input: $input) { userErrors { code } } }";
        let mut number = 0;
        let mut turn = 0;
        while !self.is_over() {
            number += 1;
            let input = json!({ "accountId": account_id, "amount": "0.5", "description": "Chaos", "idempotencyKey": format!("{name}-{number}") });
            loop {
                turn += 1;
                let client = Client::new(&self.servers[turn % 2].base, Some(credential.clone()));
                let request = client
                    .post("/graphql")
                    .json(&json!({ "query": mutation, "variables": { "input": input } }));
                let answer = request.timeout(Duration::from_secs(5)).send().await;
                if let Ok(answer) = answer
                    && let Ok(text) = answer.text().await
                    && text.contains("\"userErrors\":[]")
                {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// Follows an account through any server until the entry `last` has arrived. Returns the entries in the order of arrival.
    async fn follow(
        &self,
        credential: &str,
        number: usize,
        last: &tokio::sync::watch::Receiver<Option<i64>>,
    ) -> Vec<i64> {
        let (mut seen, mut after, mut turn) = (Vec::new(), Value::Null, number);
        let is_done = |seen: &Vec<i64>| {
            let last = *last.borrow();
            last.is_some() && seen.last().copied() >= last
        };
        while !is_done(&seen) {
            turn += 1;
            let Some(mut socket) = Socket::try_ready(&self.servers[turn % 2].base, credential).await else {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            socket.subscribe("s", ENTRIES, json!({ "after": after })).await;
            // From time to time a client disconnects.
            let stays_for = 20 + (turn * 37 + number * 13) % 200;
            let mut count = 0;
            loop {
                let message = match tokio::time::timeout(Duration::from_millis(500), socket.frame()).await {
                    Err(_) if is_done(&seen) => break,
                    Err(_) | Ok(Frame::Ping) => continue,
                    Ok(Frame::Message(message)) => message,
                    Ok(Frame::Close(..)) => {
                        self.breaks.fetch_add(1, Ordering::SeqCst);
                        break;
                    }
                };
                if message["type"] != "next" {
                    // UNAVAILABLE, when the server could not read for a while.
                    self.breaks.fetch_add(1, Ordering::SeqCst);
                    break;
                }
                let event = &message["payload"]["data"]["creditEntryPosted"];
                assert_ne!(event["signal"], "RESET", "nothing was lost");
                after = event["cursor"].clone();
                if let Some(sequence) = event["entry"]["sequence"].as_str() {
                    seen.push(sequence.parse().expect("a number"));
                    count += 1;
                    if count >= stays_for && !self.is_over() {
                        self.hangups.fetch_add(1, Ordering::SeqCst);
                        break;
                    }
                }
            }
        }
        seen
    }
}

/// Causes faults of the database, and of the account with this number, until the end. Returns the number of each kind.
async fn disturb(chaos: &Chaos, database: &DatabaseConnection, account: i64) -> HashMap<&'static str, usize> {
    let mut faults = HashMap::new();
    let begun = Instant::now();
    let mut round = 0;
    while begun.elapsed() < LASTS {
        round += 1;
        tokio::time::sleep(Duration::from_millis(700)).await;
        let (fault, times) = match round % 4 {
            0 => {
                chaos.servers[round / 4 % 2].kill().await;
                ("servers killed", 1)
            }
            1 => ("bells' connections cut", cut_bells(database).await),
            2 => ("transactions rolled back late", roll_back_late(database, account).await),
            _ => ("connections cut in whatever they did", cut_some(database).await),
        };
        *faults.entry(fault).or_default() += times;
    }
    faults
}

async fn count(database: &DatabaseConnection, sql: &str) -> usize {
    let rows = database
        .query_all_raw(Statement::from_string(DbBackend::Postgres, sql))
        .await;
    rows.map_or(0, |rows| rows.len())
}

async fn cut_bells(database: &DatabaseConnection) -> usize {
    count(
        database,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query ILIKE 'LISTEN%'",
    )
    .await
}

async fn cut_some(database: &DatabaseConnection) -> usize {
    count(
        database,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
         ORDER BY backend_start DESC LIMIT 2",
    )
    .await
}

/// Holds the row of the account with this number for a while, writes an event, and rolls back.
async fn roll_back_late(database: &DatabaseConnection, account: i64) -> usize {
    let statements = [
        "BEGIN",
        &format!("SELECT account_id FROM account_state WHERE account_id = {account} FOR UPDATE"),
        &format!(
            "INSERT INTO event (account_id, sequence, nonce, kind, occurred_at) SELECT account_id, event_sequence + 1, 1, \
             'ACCOUNT_UPDATED', 1 FROM account_state WHERE account_id = {account}"
        ),
        "SELECT pg_sleep(0.3)",
        "ROLLBACK",
    ];
    for statement in statements {
        execute(database, statement).await;
    }
    1
}

/// Returns the entries of an account in the order of its events.
async fn oracle(database: &DatabaseConnection, account: i64) -> Vec<i64> {
    let sql = format!(
        "SELECT c.sequence FROM event e JOIN credit_entry c ON c.account_id = e.account_id AND c.id = e.entry_id \
         WHERE e.account_id = {account} AND e.kind = 'CREDIT_ENTRY_POSTED' ORDER BY e.sequence"
    );
    let rows = database
        .query_all_raw(Statement::from_string(DbBackend::Postgres, sql))
        .await
        .expect("events");
    rows.iter()
        .map(|row| row.try_get("", "sequence").expect("a number"))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_subscriber_sees_every_event_once_and_in_order_whatever_happens() {
    if postgres_server().is_none() {
        println!("chaos needs Postgres: it runs with LEDGERBELL_TEST_DATABASE_URL");
        return;
    }
    let app = TestApp::start().await;
    let teams = [
        app.another_team("a").await,
        app.another_team("b").await,
        app.another_team("c").await,
    ];
    // Tokens of the tests use the clock of the tests; these servers use the clock of the machine.
    let mut keys = Vec::new();
    for team in &teams {
        let id = Some(team.account.id);
        keys.push(app.key_of(id, Side::Team, &[Permission::ReadCreditLog]).await);
    }
    let mut options = ConnectOptions::new(app.database_url());
    options.max_connections(1).sqlx_logging(false);
    let database = sea_orm::Database::connect(options).await.expect("the database");
    let (hears, does_not) = tokio::join!(
        Server::start(app.database_url(), "postgres"),
        Server::start(app.database_url(), "none")
    );
    let chaos = Arc::new(Chaos {
        servers: [hears, does_not],
        is_over: AtomicBool::new(false),
        hangups: AtomicUsize::new(0),
        breaks: AtomicUsize::new(0),
    });
    let mut writers = JoinSet::new();
    let mut subscribers = JoinSet::new();
    let mut ends = Vec::new();
    for (at, team) in teams.iter().enumerate() {
        let (end, last) = tokio::sync::watch::channel(None);
        ends.push(end);
        for number in 0..SUBSCRIBERS {
            let credential = keys[at].credential().expect("a key").to_owned();
            let (chaos, last) = (Arc::clone(&chaos), last.clone());
            subscribers.spawn(async move { (at, chaos.follow(&credential, at * 10 + number, &last).await) });
        }
        for number in 0..WRITERS {
            let (chaos, account_id) = (Arc::clone(&chaos), team.id());
            let credential = app.platform.credential().expect("a key").to_owned();
            writers.spawn(async move { chaos.write(format!("{at}-{number}"), account_id, credential).await });
        }
    }
    let faults = disturb(&chaos, &database, teams[0].account.id.number()).await;
    chaos.is_over.store(true, Ordering::SeqCst);
    let ended = tokio::time::timeout(PATIENCE, async { while writers.join_next().await.is_some() {} }).await;
    ended.expect("the writers end");
    let mut expected = Vec::new();
    for (team, end) in teams.iter().zip(&ends) {
        let entries = oracle(&database, team.account.id.number()).await;
        end.send_replace(entries.last().copied());
        expected.push(entries);
    }
    let (mut missed, mut repeated, mut reordered, mut events) = (0, 0, 0, 0);
    while let Some(joined) = tokio::time::timeout(PATIENCE, subscribers.join_next())
        .await
        .expect("all catch up")
    {
        let (at, seen) = joined.expect("a subscriber");
        events += seen.len();
        // A subscriber that began after the first entries does not receive them.
        let from = seen.first().copied().unwrap_or_default();
        let expected: Vec<i64> = expected[at]
            .iter()
            .copied()
            .filter(|sequence| *sequence >= from)
            .collect();
        missed += expected.iter().filter(|sequence| !seen.contains(sequence)).count();
        repeated += seen.len() - seen.iter().collect::<std::collections::HashSet<_>>().len();
        reordered += seen.windows(2).filter(|pair| pair[1] < pair[0]).count();
        assert!(seen == expected || missed + repeated + reordered > 0);
    }
    println!(
        "chaos: {events} events seen, missed {missed}, repeated {repeated}, reordered {reordered}; faults: {faults:?}, clients hung up \
         {}, connections broke {}",
        chaos.hangups.load(Ordering::SeqCst),
        chaos.breaks.load(Ordering::SeqCst)
    );
    assert_eq!((missed, repeated, reordered), (0, 0, 0));
    assert!(faults["servers killed"] > 0 && faults["bells' connections cut"] > 0);
    drop(chaos);
    let _ = database.close().await;
}
