//! Ledgerbell in a separate process.

use std::process::Stdio;
use std::time::Instant;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

use crate::Options;
use crate::fleet::Target;
use crate::post::{Connection, Failure};

/// The number of connections that post.
const POSTERS: usize = 16;

pub(crate) struct Server {
    address: String,
    api_key: String,
    accounts: Vec<String>,
    posters: Vec<Mutex<Connection>>,
    process: Child,
    _directory: tempfile::TempDir,
}

impl Server {
    pub(crate) async fn start(options: &Options) -> Result<Self, Failure> {
        let directory = tempfile::tempdir()?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_ledgerbell"));
        command
            .args([
                "demo",
                "--json",
                "--listen",
                "127.0.0.1:0",
                "--log-level",
                "error",
                "--data-dir",
            ])
            .arg(directory.path())
            .env("LEDGERBELL_LIVE_PER_CALLER", "1000000")
            .env("LEDGERBELL_LIVE_COST_PER_CALLER", "1000000000")
            .env("LEDGERBELL_HTTP_MAX_CONNECTIONS", "100000")
            .env("LEDGERBELL_HTTP_MAX_CONNECTIONS_PER_ADDRESS", "100000");
        if let Some(url) = &options.postgres {
            command.args(["--database-url", url]);
        }
        let mut process = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let stdout = process.stdout.take().ok_or("no stdout")?;
        let line = BufReader::new(stdout)
            .lines()
            .next_line()
            .await?
            .ok_or("the server ended")?;
        let ready: Value = serde_json::from_str(&line)?;
        let address = ready["url"]
            .as_str()
            .ok_or("no url")?
            .trim_start_matches("http://")
            .to_owned();
        let api_key = ready["apiKey"].as_str().ok_or("no key")?.to_owned();
        let mut posters = Vec::new();
        for _ in 0..POSTERS {
            posters.push(Mutex::new(Connection::open(&address, &api_key).await?));
        }
        let mut server = Self {
            address,
            api_key,
            accounts: Vec::new(),
            posters,
            process,
            _directory: directory,
        };
        for number in 0..options.accounts {
            let account = server.create_account(number).await?;
            server.accounts.push(account);
        }
        Ok(server)
    }

    async fn create_account(&self, number: usize) -> Result<String, Failure> {
        let mutation = "mutation C($i: CreateAccountInput!) { createAccount(input: $i) { account { id } } }";
        let input = json!({"i": {"name": format!("Bench {number}"), "creditPrice": "1", "currency": "EUR"}});
        let answer = self.posters[0].lock().await.query(mutation, &input).await?;
        let answer: Value = serde_json::from_str(&answer)?;
        let id = answer["data"]["createAccount"]["account"]["id"].as_str();
        Ok(id.ok_or_else(|| answer.to_string())?.to_owned())
    }
}

impl Server {
    /// Sends a request on a free connection, or waits for one.
    pub(crate) async fn ask(&self, query: &str, variables: &Value) -> Result<String, Failure> {
        let free = self.posters.iter().find_map(|poster| poster.try_lock().ok());
        let mut poster = match free {
            Some(poster) => poster,
            None => self.posters[query.len() % POSTERS].lock().await,
        };
        poster.query(query, variables).await
    }
}

impl Target for Server {
    fn address(&self) -> &str {
        &self.address
    }

    fn credential(&self) -> &str {
        &self.api_key
    }

    fn accounts(&self) -> &[String] {
        &self.accounts
    }

    fn subscription(&self, account: &str) -> Value {
        let query = "subscription S($id: ID!) { creditEntryPosted(accountId: $id) { cursor signal entry { sequence amount description } } }";
        json!({"query": query, "variables": {"id": account}})
    }

    async fn post(&self, account: &str, mark: &str) -> Result<Instant, Failure> {
        let mutation = "mutation P($i: AdjustCreditsInput!) { adjustCredits(input: $i) { userErrors { code } } }";
        let key = uuid::Uuid::new_v4().to_string();
        let input = json!({"i": {"accountId": account, "amount": "1", "description": mark, "idempotencyKey": key}});
        let answer = self.ask(mutation, &input).await?;
        if !answer.contains("\"userErrors\":[]") {
            return Err(format!("a posting was refused: {answer}").into());
        }
        Ok(Instant::now())
    }

    fn resident_kib(&self) -> Option<u64> {
        resident_kib(self.process.id()?)
    }
}

/// Returns the resident memory of a process in KiB.
pub(crate) fn resident_kib(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
