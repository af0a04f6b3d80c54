//! A private NATS server for a test.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::free_port;

const STARTS_WITHIN: Duration = Duration::from_secs(20);

/// A running server. Dropping it kills it.
pub(crate) struct NatsServer {
    /// Its host and port.
    pub(crate) address: String,
    program: PathBuf,
    process: Option<Child>,
    /// Has its configuration, and files that it names.
    directory: TempDir,
}

/// Returns the server that `LEDGERBELL_TEST_NATS_SERVER` names, or an installed one.
fn program() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("LEDGERBELL_TEST_NATS_SERVER").filter(|named| !named.is_empty()) {
        return Some(named.into());
    }
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&paths).collect();
    places.push("/usr/sbin".into());
    places
        .into_iter()
        .map(|place| place.join("nats-server"))
        .find(|program| program.is_file())
}

impl NatsServer {
    /// Starts a server. Returns `None` with a message where none is installed.
    pub(crate) async fn start() -> Option<Self> {
        Self::start_with("", &[]).await
    }

    /// Starts a server with this configuration, in which `$DIR` is a directory that has these files.
    pub(crate) async fn start_with(configuration: &str, files: &[(&str, &[u8])]) -> Option<Self> {
        let Some(program) = program() else {
            // Written directly, so that the message is seen also when the test passes.
            let text = "\n!!! NOT RUN: nats-server is not installed (apt-get install nats-server, or LEDGERBELL_TEST_NATS_SERVER)\n";
            let _ = std::io::stderr().write_all(text.as_bytes());
            return None;
        };
        let directory = tempfile::tempdir().expect("a directory");
        for (name, content) in files {
            std::fs::write(directory.path().join(name), content).expect("written");
        }
        let configuration = configuration.replace("$DIR", &directory.path().display().to_string());
        std::fs::write(directory.path().join("nats.conf"), configuration).expect("written");
        let mut server = Self {
            address: free_port(),
            program,
            process: None,
            directory,
        };
        server.start_again().await;
        Some(server)
    }

    /// Starts it again, at the same address.
    pub(crate) async fn start_again(&mut self) {
        assert!(self.process.is_none(), "it is down");
        let (host, port) = self.address.rsplit_once(':').expect("an address");
        let started = Command::new(&self.program)
            .args(["--addr", host, "--port", port, "--config"])
            .arg(self.directory.path().join("nats.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.process = Some(started.expect("it starts"));
        let begun = Instant::now();
        while !self.greets().await {
            assert!(begun.elapsed() < STARTS_WITHIN, "nats-server starts");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn greets(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(&self.address).await else {
            return false;
        };
        let mut first = [0; 4];
        stream.read_exact(&mut first).await.is_ok() && &first == b"INFO"
    }

    /// Kills it, as a crash does.
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.kill().expect("killed");
        process.wait().expect("ended");
    }

    /// Returns its URL.
    pub(crate) fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Returns the path of one of its files.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
