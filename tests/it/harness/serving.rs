//! A server in a separate process, and grants through it.

use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Client, TestDatabase};
use crate::cli::ledgerbell;

/// Longer than a server needs to start.
const STARTS_WITHIN: Duration = Duration::from_secs(30);
/// The arguments to create a key with all permissions of these tests.
pub(crate) const MAKE_KEY: [&str; 6] = [
    "api-key",
    "create",
    "--name",
    "Chaos",
    "--permissions",
    "READ_CREDIT_LOG,MANAGE_ACCOUNTS,MANAGE_CREDITS",
];
const GRANT: &str =
    "mutation($input: GrantCreditsInput!) { grantCredits(input: $input) { entry { id } userErrors { code } } }";

/// Where a server runs, and its settings.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) database_url: String,
    pub(crate) listen: String,
    pub(crate) metrics: String,
    /// Settings by the names of their environment variables.
    pub(crate) settings: Vec<(&'static str, String)>,
}

impl Place {
    pub(crate) fn new(database_url: &str) -> Self {
        Self {
            database_url: database_url.to_owned(),
            listen: free_port(),
            metrics: free_port(),
            settings: Vec::new(),
        }
    }

    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.listen)
    }

    /// Returns a command on this database.
    pub(crate) fn command(&self, database: &TestDatabase, arguments: &[&str]) -> std::process::Command {
        let mut command = ledgerbell(database);
        command
            .args(arguments)
            .env("LEDGERBELL_DATABASE_URL", &self.database_url)
            .env("LEDGERBELL_LISTEN", &self.listen)
            .env("LEDGERBELL_METRICS_LISTEN", &self.metrics)
            .env("LEDGERBELL_LIMITS_RATE", "0")
            .env("LEDGERBELL_DATABASE_MAX_CONNECTIONS", "6")
            .envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Returns the output of a command, which must succeed.
    pub(crate) fn print(&self, database: &TestDatabase, arguments: &[&str]) -> String {
        let output = self.command(database, arguments).output().expect("it runs");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {complaint}");
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }

    /// Migrates the database and returns a key with all permissions.
    pub(crate) fn key(&self, database: &TestDatabase) -> String {
        self.print(database, &["migrate"]);
        self.print(database, &MAKE_KEY)
    }

    pub(crate) async fn serve(&self, database: &TestDatabase, key: &str) -> Serving {
        let serving = self.start(database, key, &["serve"]);
        serving.until_ready(STARTS_WITHIN).await;
        serving
    }

    /// Starts a process that continues to run. If it does not serve clients, its health is read from the metrics address.
    pub(crate) fn start(&self, database: &TestDatabase, key: &str, arguments: &[&str]) -> Serving {
        self.spawn(
            self.command(database, arguments),
            database,
            key,
            arguments.contains(&"worker"),
        )
    }

    /// Starts a server with a modified command.
    pub(crate) fn start_by(
        &self,
        database: &TestDatabase,
        key: &str,
        made: impl FnOnce(&std::process::Command) -> std::process::Command,
    ) -> Serving {
        let usual = self.command(database, &["serve"]);
        let mut command = made(&usual);
        for (name, value) in usual.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.current_dir(database.directory.path());
        self.spawn(command, database, key, false)
    }

    fn spawn(
        &self,
        mut command: std::process::Command,
        database: &TestDatabase,
        key: &str,
        is_worker: bool,
    ) -> Serving {
        let port = self.metrics.rsplit(':').next().unwrap_or_default();
        let log = database.directory.path().join(format!("{port}.log"));
        let file = std::fs::File::create(&log).expect("a log");
        let process = command.stdout(Stdio::null()).stderr(file).spawn().expect("it starts");
        let health = if is_worker {
            format!("http://{}", self.metrics)
        } else {
            self.base()
        };
        Serving {
            process,
            client: Client::new(&self.base(), Some(key.to_owned())),
            health,
            metrics: format!("http://{}/metrics", self.metrics),
            log,
        }
    }
}

/// Returns an address on this machine that no process listens on.
pub(crate) fn free_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").to_string()
}

/// A running server. Dropping it kills it.
pub(crate) struct Serving {
    process: Child,
    pub(crate) client: Client,
    health: String,
    metrics: String,
    /// The path of its log file.
    pub(crate) log: PathBuf,
}

impl Serving {
    /// Returns whether it soon reports that it is ready.
    pub(crate) async fn is_ready(&self) -> bool {
        self.is_well("ready").await
    }

    /// Returns whether it soon reports that it is alive.
    pub(crate) async fn is_live(&self) -> bool {
        self.is_well("live").await
    }

    async fn is_well(&self, probe: &str) -> bool {
        let url = format!("{}/health/{probe}", self.health);
        let asked = self.client.get(&url).timeout(Duration::from_secs(5)).send().await;
        asked.is_ok_and(|answer| answer.status().is_success())
    }

    pub(crate) async fn until_ready(&self, patience: Duration) {
        self.until(patience, true).await;
    }

    pub(crate) async fn until_not_ready(&self, patience: Duration) {
        self.until(patience, false).await;
    }

    async fn until(&self, patience: Duration, is_ready: bool) {
        let begun = Instant::now();
        while self.is_ready().await != is_ready {
            assert!(
                begun.elapsed() < patience,
                "it is ready, or no longer, within {patience:?}: {}",
                std::fs::read_to_string(&self.log).unwrap_or_default()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Returns the lines of its log as JSON. A runtime that aborts writes plain text.
    pub(crate) fn log_lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.log).expect("a log");
        // The last line may be incomplete.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Like [`Self::log_lines`], but waits until one of the lines matches.
    pub(crate) async fn log_until(&self, is_awaited: impl Fn(&Value) -> bool) -> Vec<Value> {
        let begun = Instant::now();
        loop {
            let lines = self.log_lines();
            if lines.iter().any(&is_awaited) {
                return lines;
            }
            assert!(begun.elapsed() < STARTS_WITHIN, "the line comes: {lines:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Returns the reasons that it reports while it is not ready.
    pub(crate) async fn unreadiness(&self) -> Value {
        self.health("ready").await
    }

    /// Returns the response of one of the two probes.
    pub(crate) async fn health(&self, probe: &str) -> Value {
        let asked = self
            .client
            .get(&format!("{}/health/{probe}", self.health))
            .timeout(Duration::from_secs(5))
            .send()
            .await;
        asked.expect("an answer").json().await.expect("JSON")
    }

    pub(crate) async fn metrics(&self) -> String {
        let asked = self.client.get(&self.metrics).send().await.expect("figures");
        assert!(asked.status().is_success());
        asked.text().await.expect("text")
    }

    pub(crate) async fn account(&self, external_id: &str) -> String {
        let create = "mutation($input: CreateAccountInput!) { createAccount(input: $input) { account { id } userErrors { code } } }";
        let input =
            json!({ "input": { "name": "Team", "externalId": external_id, "creditPrice": "0.5", "currency": "EUR" } });
        let made = self.client.query(create, input).await;
        made.at("/createAccount/account/id").as_str().expect("an id").to_owned()
    }

    /// Returns whether a grant was acknowledged; otherwise the response, if there was one.
    pub(crate) async fn grant(&self, account: &str, key: &str, patience: Duration) -> Result<(), Value> {
        let input =
            json!({ "accountId": account, "credits": "1.5", "description": "x".repeat(120), "idempotencyKey": key });
        let body = json!({ "query": GRANT, "variables": { "input": input } });
        let sent = self.client.post("/graphql").json(&body).timeout(patience).send().await;
        let answer: Value = match sent {
            Ok(answer) => answer.json().await.map_err(|_| Value::Null)?,
            Err(_) => return Err(Value::Null),
        };
        let entry = answer.pointer("/data/grantCredits/entry/id");
        if entry.is_some_and(Value::is_string) {
            return Ok(());
        }
        Err(answer)
    }

    /// Grants until one is acknowledged. Returns how long that took since `begun`.
    pub(crate) async fn until_granted(&self, account: &str, key: &str, begun: Instant) -> Duration {
        while self.grant(account, key, Duration::from_secs(30)).await.is_err() {
            assert!(begun.elapsed() < Duration::from_mins(2), "it recovers");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        begun.elapsed()
    }

    /// Stops it as an orchestrator does. Returns how it ended, and how long that took.
    pub(crate) async fn terminate(self) -> (ExitStatus, Duration) {
        self.end_by("TERM").await
    }

    /// Sends this signal. Returns how the process ended, and how long that took.
    pub(crate) async fn end_by(mut self, signal: &str) -> (ExitStatus, Duration) {
        let begun = Instant::now();
        let signaled = std::process::Command::new("kill")
            .arg(format!("-{signal}"))
            .arg(self.process.id().to_string())
            .status();
        assert!(signaled.expect("a signal").success());
        loop {
            if let Some(status) = self.process.try_wait().expect("it can be waited for") {
                return (status, begun.elapsed());
            }
            assert!(begun.elapsed() < Duration::from_mins(1), "it ends");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Kills it, as a crash does.
    pub(crate) fn kill_now(&self) {
        let killed = std::process::Command::new("kill")
            .arg("-9")
            .arg(self.process.id().to_string())
            .status();
        assert!(killed.expect("a signal").success());
    }

    /// Returns the value of a figure, by its name and labels without the prefix of all figures.
    pub(crate) async fn figure(&self, name: &str) -> i64 {
        let metrics = self.metrics().await;
        let name = format!("ledgerbell_{name} ");
        let value = metrics.lines().find_map(|line| line.strip_prefix(&name));
        let value = value.unwrap_or_else(|| panic!("{name} in {metrics}"));
        value.parse().expect("a number")
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
