//! The measured server: the release executable in a separate process, with an empty database.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::client::{Connection, Failure};

pub(crate) struct Server {
    pub(crate) address: String,
    pub(crate) api_key: String,
    pub(crate) database_url: String,
    process: Child,
}

impl Server {
    /// Starts the demo, which prints its address and a key with all permissions.
    pub(crate) async fn start(directory: &Path, postgres: Option<&str>) -> Result<Self, Failure> {
        let sqlite = format!("sqlite://{}/ledgerbell.db?mode=rwc", directory.display());
        let database_url = postgres.map_or(sqlite, str::to_owned);
        let mut process = Command::new(env!("CARGO_BIN_EXE_ledgerbell"))
            .args([
                "demo",
                "--json",
                "--listen",
                "127.0.0.1:0",
                "--log-level",
                "warn",
                "--database-url",
                &database_url,
            ])
            .arg("--data-dir")
            .arg(directory)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = process.stdout.take().ok_or("no stdout")?;
        let line = BufReader::new(stdout)
            .lines()
            .next_line()
            .await?
            .ok_or("the server ended")?;
        let ready: Value = serde_json::from_str(&line)?;
        let text = |name: &str| {
            ready[name]
                .as_str()
                .map(str::to_owned)
                .ok_or_else(|| format!("no {name} in {line}"))
        };
        let address = text("url")?
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .to_owned();
        Ok(Self {
            address,
            api_key: text("apiKey")?,
            database_url,
            process,
        })
    }

    pub(crate) async fn connect(&self) -> Result<Connection, Failure> {
        Connection::open(&self.address, &self.api_key).await
    }

    /// Creates accounts, each with many credits.
    pub(crate) async fn create_accounts(&self, count: usize) -> Result<Vec<String>, Failure> {
        let mut connection = self.connect().await?;
        let mut accounts = Vec::with_capacity(count);
        for number in 0..count {
            let answer = connection
                .query(
                    "mutation C($i: CreateAccountInput!) { createAccount(input: $i) { account { id } userErrors { message } } }",
                    &json!({"i": {"name": format!("Bench {number}"), "creditPrice": "1", "currency": "EUR"}}),
                )
                .await?;
            let answer: Value = serde_json::from_str(&answer)?;
            let id = answer["data"]["createAccount"]["account"]["id"]
                .as_str()
                .ok_or_else(|| answer.to_string())?;
            let grant = connection
                .query(
                    "mutation G($i: GrantCreditsInput!) { grantCredits(input: $i) { entry { id } userErrors { message } } }",
                    &json!({"i": {
                        "accountId": id, "credits": "1000000", "description": "Bench", "idempotencyKey": "grant",
                    }}),
                )
                .await?;
            if !grant.contains("\"userErrors\":[]") {
                return Err(grant.into());
            }
            accounts.push(id.to_owned());
        }
        Ok(accounts)
    }

    /// Returns the resident memory of the server in MiB, where the system reports it.
    pub(crate) fn resident_mib(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()?)).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS"))?;
        Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1_024)
    }

    pub(crate) async fn stop(mut self) -> Result<(), Failure> {
        self.process.kill().await?;
        Ok(())
    }
}
