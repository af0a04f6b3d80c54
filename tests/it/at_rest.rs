//! Files of the server are private to its user: directories have mode 0700 and files 0600, whatever the umask is.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cli::ledgerbell;
use crate::harness::TestDatabase;

/// Returns a data directory that does not exist yet, in a directory that every user can read.
fn data_dir(database: &TestDatabase) -> PathBuf {
    let parent = database.directory.path().join("srv");
    fs::create_dir(&parent).expect("a directory");
    chmod(&parent, 0o755);
    parent.join("state/data")
}

/// Returns the program on SQLite in that directory, with a umask of 0.
fn permissive(database: &TestDatabase, data_dir: &Path, arguments: &[&str]) -> Command {
    let plain = ledgerbell(database);
    let mut command = Command::new("sh");
    command.arg("-c").arg("umask 000; exec \"$0\" \"$@\"");
    command.arg(plain.get_program()).args(arguments);
    command.env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
        .env("LEDGERBELL_MODE", "development")
        .env("LEDGERBELL_DATA_DIR", data_dir);
    command.current_dir(database.directory.path()).stdin(Stdio::null());
    command
}

fn run(command: &mut Command) {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o7777
}

fn everything(path: &Path) -> Vec<PathBuf> {
    let mut found = vec![path.to_owned()];
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a directory") {
            found.extend(everything(&entry.expect("an entry").path()));
        }
    }
    found
}

fn assert_private(path: &Path) {
    for path in everything(path) {
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&path), expected, "{}: {:o}", path.display(), mode(&path));
    }
}

/// A running demo. It is killed at the end, so that its write-ahead log stays.
struct Demo(std::process::Child);

impl Demo {
    fn start(mut command: Command) -> Self {
        use std::io::BufRead as _;

        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        let out = process.stdout.as_mut().expect("standard output");
        std::io::BufReader::new(out).read_line(&mut line).expect("a line");
        assert!(line.starts_with('{'), "{line}");
        Self(process)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const DEMO: &[&str] = &["demo", "--json", "--listen", "127.0.0.1:0"];

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_written_is_private_whatever_the_umask_and_loose_files_of_before_are_tightened() {
    let database = TestDatabase::make_empty().await;
    let data_dir = data_dir(&database);
    let demo = Demo::start(permissive(&database, &data_dir, DEMO));
    for name in [
        "ledgerbell.db",
        "ledgerbell.db-wal",
        "ledgerbell.db-shm",
        "simulated-gateway.json",
        "demo-api-key",
    ] {
        assert!(data_dir.join(name).is_file(), "{name}");
    }
    // The program also creates the parent directories.
    assert_private(data_dir.parent().expect("a parent"));
    drop(demo);

    // The state that an earlier version left.
    fs::create_dir_all(data_dir.join("mail")).expect("a directory");
    for path in everything(&data_dir) {
        chmod(&path, if path.is_dir() { 0o755 } else { 0o644 });
    }
    run(&mut permissive(&database, &data_dir, &["migrate"]));
    for name in ["ledgerbell.db", "simulated-gateway.json", "demo-api-key", "mail"] {
        assert_private(&data_dir.join(name));
    }
    assert_eq!(
        mode(&data_dir),
        0o755,
        "the directory itself may be the operator's, who is warned"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_and_previews_are_private() {
    let database = TestDatabase::make_empty().await;
    let data_dir = data_dir(&database);
    let previews = database.directory.path().join("previews");
    let arguments = ["mail", "preview", previews.to_str().expect("text")];
    run(&mut permissive(&database, &data_dir, &arguments));
    assert!(everything(&previews).len() > 10);
    assert_private(&previews);
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_warns_of_what_other_users_of_the_machine_can_read() {
    let database = TestDatabase::make_empty().await;
    let data_dir = data_dir(&database);
    run(&mut permissive(&database, &data_dir, &["migrate"]));
    let files_of = || {
        let output = permissive(&database, &data_dir, &["doctor", "--json"])
            .output()
            .expect("it runs");
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let checks = report["checks"].as_array().expect("a list").clone();
        checks
            .into_iter()
            .find(|check| check["name"] == "files")
            .expect("the check")
    };
    assert_eq!(files_of()["status"], "ok");
    chmod(&data_dir, 0o750);
    chmod(&data_dir.join("ledgerbell.db"), 0o604);
    let found = files_of();
    assert_eq!(found["status"], "warn");
    let advice = found["advice"].as_str().expect("an advice");
    assert!(advice.contains("chmod 700") && advice.contains("now 750"), "{advice}");
    assert!(advice.contains("chmod 600") && advice.contains("now 604"), "{advice}");
    assert_eq!(mode(&data_dir.join("ledgerbell.db")), 0o604, "doctor changes nothing");
}
