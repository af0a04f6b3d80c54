//! The comparison: npm `graphql-ws` on Node with an in-memory pubsub.

use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::fleet::Target;
use crate::post::{Connection, Failure};
use crate::server::resident_kib;

pub(crate) struct Peer {
    address: String,
    accounts: Vec<String>,
    process: Child,
}

impl Peer {
    /// Starts it; `None` if it cannot run. Its packages are those of the tests of clients.
    pub(crate) async fn start() -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let clients = root.join("tests/clients");
        let installed = Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
            .current_dir(&clients)
            .stdout(Stdio::null())
            .status();
        if !installed.await.is_ok_and(|status| status.success()) {
            return None;
        }
        let mut process = Command::new("node")
            .arg(clients.join("peer.js"))
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .ok()?;
        let address = BufReader::new(process.stdout.take()?)
            .lines()
            .next_line()
            .await
            .ok()??;
        Some(Self {
            address,
            accounts: (0..1_000).map(|number| format!("account-{number}")).collect(),
            process,
        })
    }
}

impl Target for Peer {
    fn address(&self) -> &str {
        &self.address
    }

    fn credential(&self) -> &'static str {
        "anybody"
    }

    fn accounts(&self) -> &[String] {
        &self.accounts
    }

    fn subscription(&self, account: &str) -> Value {
        let query = "subscription S($id: ID!) { creditEntryPosted(accountId: $id) { cursor signal entry { sequence amount description } } }";
        json!({"query": query, "variables": {"id": account}})
    }

    async fn post(&self, account: &str, mark: &str) -> Result<Instant, Failure> {
        let mut connection = Connection::open(&self.address, "anybody").await?;
        connection.query(mark, &json!({"id": account})).await?;
        Ok(Instant::now())
    }

    fn resident_kib(&self) -> Option<u64> {
        resident_kib(self.process.id()?)
    }
}
