//! Clients that disconnect, and servers that are killed: acknowledged changes are stored, and no change is partial.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

use crate::harness::{Client, TestApp, TestDatabase, environment};

const ADJUST: &str = "mutation Adjust($input: AdjustCreditsInput!) { adjustCredits(input: $input) { entry { id } \
    userErrors { code message } } }";
const BOOK: &str = "mutation Book($input: BookSessionInput!) { bookSession(input: $input) { session { id } \
    userErrors { code message } } }";

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_requests_hung_up_on_harm_nothing() {
    const HANG_UPS: u32 = 5_000;
    // Requests of disconnected clients are still waiting; BUSY is not what this tests.
    let app = TestApp::start_with(&[("engine.queue", "65536")]).await;
    app.top_up(1_000_000).await;
    let hung_up = Arc::new(AtomicU32::new(0));
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let tasks = (0..16_u64).map(|task| {
        let (client, account, member) = (app.platform.clone(), app.team.id(), app.team.member.id());
        let (starts_at, ends_at) = (app.in_minutes(60), app.in_minutes(120));
        let (hung_up, acknowledged) = (Arc::clone(&hung_up), Arc::clone(&acknowledged));
        tokio::spawn(async move {
            for number in 0_u64.. {
                if hung_up.load(Ordering::Relaxed) >= HANG_UPS {
                    break;
                }
                let key = format!("{task}-{number}");
                let adjust = json!({
                    "accountId": account, "amount": "-0.01", "description": "Hung up", "idempotencyKey": key,
                });
                let book = json!({
                    "accountId": account, "memberId": member, "title": "Hung up", "credits": "0.01",
                    "startsAt": starts_at, "endsAt": ends_at, "idempotencyKey": key,
                });
                let adjusts = number % 2 == 0;
                let (query, input) = if adjusts { (ADJUST, adjust) } else { (BOOK, book) };
                // From before the request is sent to after its response: the client disconnects at every point.
                let patience = Duration::from_micros((task * 7_919 + number * 104_729) % 12_000);
                let asked = client.query(query, json!({ "input": input.clone() }));
                match tokio::time::timeout(patience, asked).await {
                    Err(_) => {
                        hung_up.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(answer) if adjusts => {
                        let entry = answer.at("/adjustCredits/entry/id").clone();
                        acknowledged.lock().await.push((input, entry));
                    }
                    Ok(answer) => assert_eq!(answer.at("/bookSession/userErrors"), &json!([])),
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("a client ends well");
    }
    assert!(hung_up.load(Ordering::Relaxed) >= HANG_UPS);
    for (input, entry) in acknowledged.lock().await.iter() {
        let again = app.platform.query(ADJUST, json!({ "input": input })).await;
        assert_eq!(
            again.at("/adjustCredits/entry/id"),
            entry,
            "what was acknowledged is there, once"
        );
    }
    // Dropping the application verifies the ledger.
}

/// A server in a separate process, so that it can be killed.
struct Server {
    process: Child,
    client: Client,
}

impl Server {
    async fn start(database: &TestDatabase) -> Self {
        let mut process = command(database, "demo")
            .args(["--json", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the server starts");
        let stdout = process.stdout.take().expect("its output");
        let line = BufReader::new(stdout)
            .lines()
            .next_line()
            .await
            .expect("readable")
            .expect("a line");
        let ready: Value = serde_json::from_str(&line).expect("one line of JSON");
        let text = |name: &str| {
            ready[name]
                .as_str()
                .unwrap_or_else(|| panic!("no {name} in {line}"))
                .to_owned()
        };
        let client = Client::new(text("url").trim_end_matches('/'), Some(text("apiKey")));
        Self { process, client }
    }
}

fn command(database: &TestDatabase, name: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ledgerbell"));
    command
        .envs(environment())
        .arg(name)
        .args(["--mode", "development", "--database-url", &database.url, "--data-dir"])
        .arg(database.directory.path());
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kill_9() {
    let database = TestDatabase::make_unused().await;
    let mut acknowledged: Vec<(Value, Value)> = Vec::new();
    let mut account = String::new();
    for round in 0..3 {
        let mut server = Server::start(&database).await;
        if round == 0 {
            account = make_account(&server.client).await;
        }
        for (input, entry) in &acknowledged {
            let again = server.client.query(ADJUST, json!({ "input": input })).await;
            assert_eq!(again.at("/adjustCredits/entry/id"), entry, "round {round}");
        }
        let answered = Arc::new(Mutex::new(Vec::new()));
        let posting = (0..8).map(|task| {
            let (client, account, answered) = (server.client.clone(), account.clone(), Arc::clone(&answered));
            tokio::spawn(async move {
                for number in 0.. {
                    let input = json!({
                        "accountId": account, "amount": "-0.01", "description": "Before the end",
                        "idempotencyKey": format!("{round}-{task}-{number}"),
                    });
                    let request = client
                        .post("/graphql")
                        .json(&json!({ "query": ADJUST, "variables": { "input": input } }));
                    let Ok(response) = request.send().await else { return };
                    let Ok(body) = response.json::<Value>().await else {
                        return;
                    };
                    let entry = body["data"]["adjustCredits"]["entry"]["id"].clone();
                    assert!(entry.is_string(), "accepted: {body}");
                    answered.lock().await.push((input, entry));
                }
            })
        });
        let posting: Vec<_> = posting.collect();
        while answered.lock().await.len() < 200 {
            tokio::task::yield_now().await;
        }
        server.process.kill().await.expect("SIGKILL");
        for client in posting {
            client.await.expect("a client ends well");
        }
        acknowledged.append(&mut *answered.lock().await);
        let verified = command(&database, "verify").output().await.expect("verify runs");
        let said = String::from_utf8_lossy(&verified.stdout).into_owned() + &String::from_utf8_lossy(&verified.stderr);
        assert!(verified.status.success(), "round {round}: {said}");
    }
}

async fn make_account(client: &Client) -> String {
    let made = client
        .query(
            "mutation Create($input: CreateAccountInput!) { createAccount(input: $input) { account { id } userErrors { message } } }",
            json!({ "input": { "name": "Short lived", "creditPrice": "1", "currency": "EUR" } }),
        )
        .await;
    made.at("/createAccount/account/id").as_str().expect("an id").to_owned()
}
