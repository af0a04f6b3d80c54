//! A database for each test: a copy of a migrated template, which is created once.
//!
//! `LEDGERBELL_TEST_DATABASE_URL` names a Postgres server; without it, each test has a SQLite file. With
//! `LEDGERBELL_TEST_POOLER_URL`, the application connects through a pooler, and the tests still connect directly.
//!
//! `LEDGERBELL_TEST_CITUS_URL` names the coordinator of a Citus cluster instead: each test then has a database on each of its
//! servers, whose tables are distributed.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use ledgerbell::adapters::database::{self, OpenOptions};
use ledgerbell::primitives::clock::Clock;
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::citus;

/// The prefix of the names of test databases.
const PREFIX: &str = "ledgerbell_test_";
/// The id of the lock for creating the template: an arbitrary number.
const TEMPLATE_LOCK: i64 = 0x7465_6d70;
/// A test database of this age was left by a run that died.
const LEFT_BEHIND_SECONDS: u64 = 3_600;

/// The database of one test. Dropping it removes it.
pub(crate) struct TestDatabase {
    pub(crate) url: String,
    /// A directory for the files of the test.
    pub(crate) directory: TempDir,
    postgres: Option<(String, String)>,
}

/// Returns the Postgres server to test on, if one is set.
pub(crate) fn postgres_server() -> Option<String> {
    citus_coordinator().or_else(|| variable("LEDGERBELL_TEST_DATABASE_URL"))
}

/// Returns the coordinator of the Citus cluster to test on, if one is set.
pub(crate) fn citus_coordinator() -> Option<String> {
    variable("LEDGERBELL_TEST_CITUS_URL")
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl TestDatabase {
    /// Creates a migrated, empty database.
    pub(crate) async fn make() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let Some(server) = postgres_server() else {
            let path = directory.path().join("ledgerbell.db");
            std::fs::copy(sqlite_template().await, &path).expect("the template is copied");
            let url = format!("sqlite://{}?mode=rwc", path.display());
            return Self {
                url,
                directory,
                postgres: None,
            };
        };
        let name = unique_name();
        let template = postgres_template(&server).await;
        for server in &citus::servers(&server).await {
            let admin = connect(server).await;
            execute(&admin, &format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
            let _ = admin.close().await;
        }
        Self {
            url: in_database(&server, &name),
            directory,
            postgres: Some((server, name)),
        }
    }

    /// Creates a database without a schema. That of a cluster has its servers.
    pub(crate) async fn make_empty() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let Some(server) = postgres_server() else {
            let url = format!("sqlite://{}?mode=rwc", directory.path().join("ledgerbell.db").display());
            return Self {
                url,
                directory,
                postgres: None,
            };
        };
        let name = unique_name();
        citus::create(&server, &name).await;
        Self {
            url: in_database(&server, &name),
            directory,
            postgres: Some((server, name)),
        }
    }

    /// Creates a database without a schema, for a process that migrates it. Only a command distributes the tables of a cluster, so its
    /// database has them already.
    pub(crate) async fn make_unused() -> Self {
        match citus_coordinator() {
            Some(_) => Self::make().await,
            None => Self::make_empty().await,
        }
    }

    /// Copies the database as it is now to another one on the same server, as a restored backup is. Ends its connections. Only for
    /// Postgres.
    pub(crate) async fn copied(&self) -> Self {
        let (server, name) = self.postgres.as_ref().expect("a database of Postgres");
        let copy = unique_name();
        let admin = connect(server).await;
        let ended = format!("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'");
        execute(&admin, &ended).await;
        execute(&admin, &format!("CREATE DATABASE {copy} TEMPLATE {name}")).await;
        let _ = admin.close().await;
        Self {
            url: in_database(server, &copy),
            directory: tempfile::tempdir().expect("a temporary directory"),
            postgres: Some((server.clone(), copy)),
        }
    }

    /// Returns the URL through a pooler, if one is set.
    pub(crate) fn pooled_url(&self) -> Option<String> {
        let pooler = variable("LEDGERBELL_TEST_POOLER_URL")?;
        let (_, name) = self.postgres.as_ref()?;
        Some(in_database(&pooler, name))
    }

    /// Removes the database from its server. A file is removed with its directory.
    pub(crate) async fn remove(&mut self) {
        if let Some((server, name)) = self.postgres.take() {
            citus::remove(&server, &name).await;
        }
    }
}

/// Runs `work` to its end on a separate thread and runtime: `drop` may not wait on the runtime of the test.
pub(crate) fn elsewhere<T: Send>(work: impl Future<Output = T> + Send) -> std::thread::Result<T> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(work)
        });
        thread.join()
    })
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if self.postgres.is_some() {
            let _ = elsewhere(self.remove());
        }
    }
}

fn seconds_now() -> u64 {
    Clock::system().now().millis().unsigned_abs() / 1_000
}

fn unique_name() -> String {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let now = seconds_now();
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    format!("{PREFIX}{now}_{}_{number}", std::process::id())
}

/// Returns a migrated SQLite file, created once per process.
async fn sqlite_template() -> &'static Path {
    static TEMPLATE: OnceCell<(TempDir, std::path::PathBuf)> = OnceCell::const_new();
    let (_, path) = TEMPLATE
        .get_or_init(|| async {
            let directory = tempfile::tempdir().expect("a temporary directory");
            let path = directory.path().join("template.db");
            migrate(&format!("sqlite://{}?mode=rwc", path.display())).await;
            (directory, path)
        })
        .await;
    path
}

/// Returns the name of a migrated Postgres database without connections. The first test that needs it creates it. Its name
/// depends on the migrations, so that a changed migration creates another one.
async fn postgres_template(server: &str) -> &'static str {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    TEMPLATE
        .get_or_init(|| async {
            let kind = if citus_coordinator().is_some() { "citus_" } else { "" };
            let name = format!("ledgerbell_template_{kind}{}", digest_of_migrations());
            let admin = connect(server).await;
            execute(&admin, &format!("SELECT pg_advisory_lock({TEMPLATE_LOCK})")).await;
            for server in &citus::servers(server).await {
                let admin = connect(server).await;
                drop_left_behind(&admin, &name).await;
                let _ = admin.close().await;
            }
            if !exists(&admin, &name).await {
                // Renamed when complete, so that a run that dies here leaves nothing that looks like a template.
                let draft = unique_name();
                citus::create(server, &draft).await;
                migrate(&in_database(server, &draft)).await;
                citus::rename(server, &draft, &name).await;
            }
            execute(&admin, &format!("SELECT pg_advisory_unlock({TEMPLATE_LOCK})")).await;
            let _ = admin.close().await;
            name
        })
        .await
}

async fn migrate(url: &str) {
    let options = OpenOptions {
        max_connections: 2,
        ..OpenOptions::default()
    };
    let database = database::open(url, options).await.expect("the template opens");
    database::migrate(&database).await.expect("the template is migrated");
    citus::distribute(&database).await;
    database.close().await.expect("the template is closed");
}

fn digest_of_migrations() -> String {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("migration/src");
    let mut paths: Vec<_> = std::fs::read_dir(directory)
        .expect("migrations")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    let mut digest = Sha256::new();
    for path in paths {
        digest.update(std::fs::read(path).expect("a migration"));
    }
    digest.finalize()[..6].iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

async fn drop_left_behind(admin: &DatabaseConnection, template: &str) {
    let sql = "SELECT datname FROM pg_database WHERE datname LIKE 'ledgerbell\\_t%'";
    let rows = admin
        .query_all_raw(Statement::from_string(DbBackend::Postgres, sql))
        .await
        .expect("databases");
    let now = seconds_now();
    for row in rows {
        let name: String = row.try_get("", "datname").expect("a name");
        let made_at = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split('_').next()?.parse::<u64>().ok());
        let old = made_at.is_some_and(|made_at| made_at + LEFT_BEHIND_SECONDS < now);
        if old || (name.starts_with("ledgerbell_template_") && name != template) {
            // Another process may remove or use it at the same moment: then it stays until the next run.
            let _ = admin
                .execute_unprepared(&format!("DROP DATABASE IF EXISTS {name}"))
                .await;
        }
    }
}

async fn exists(admin: &DatabaseConnection, name: &str) -> bool {
    let sql = format!("SELECT 1 AS one FROM pg_database WHERE datname = '{name}'");
    let row = admin
        .query_one_raw(Statement::from_string(DbBackend::Postgres, sql))
        .await;
    row.expect("databases").is_some()
}

/// Opens one connection, so that locks and the rows they protect use the same one.
pub(crate) async fn connect(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    sea_orm::Database::connect(options)
        .await
        .expect("the Postgres of LEDGERBELL_TEST_DATABASE_URL")
}

pub(crate) async fn execute(admin: &DatabaseConnection, sql: &str) {
    admin
        .execute_unprepared(sql)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Returns the URL of another database on the same server.
pub(crate) fn in_database(server: &str, name: &str) -> String {
    let (address, query) = server
        .split_once('?')
        .map_or((server, None), |(address, query)| (address, Some(query)));
    let after_scheme = address.find("://").map_or(0, |at| at + 3);
    let base = address[after_scheme..]
        .find('/')
        .map_or(address, |at| &address[..after_scheme + at]);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{base}/{name}{query}")
}
