//! A database for each test: a copy of a migrated template, made once.
//!
//! `LEDGERBELL_TEST_DATABASE_URL` names a Postgres server; without it, each test has a SQLite file. With
//! `LEDGERBELL_TEST_POOLER_URL` the application reaches that server by way of a pooler, and the tests still directly.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use ledgerbell::adapters::database::{self, OpenOptions};
use ledgerbell::primitives::clock::Clock;
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// What names of databases of tests begin with.
const PREFIX: &str = "ledgerbell_test_";
/// Any number: names the lock under which the template is made.
const TEMPLATE_LOCK: i64 = 0x7465_6d70;
/// A test's database this old was left by a run that died.
const LEFT_BEHIND_SECONDS: u64 = 3_600;

/// One test's own database. Dropping it removes it.
pub(crate) struct TestDatabase {
    /// How to open it.
    pub(crate) url: String,
    /// Where the test may keep files.
    pub(crate) directory: TempDir,
    postgres: Option<(String, String)>,
}

/// The Postgres server to test on, if any.
pub(crate) fn postgres_server() -> Option<String> {
    std::env::var("LEDGERBELL_TEST_DATABASE_URL")
        .ok()
        .filter(|url| !url.is_empty())
}

impl TestDatabase {
    /// A new one, migrated and empty.
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
        let admin = connect(&server).await;
        execute(&admin, &format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        let _ = admin.close().await;
        Self {
            url: in_database(&server, &name),
            directory,
            postgres: Some((server, name)),
        }
    }

    /// A new one without a schema.
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
        let admin = connect(&server).await;
        execute(&admin, &format!("CREATE DATABASE {name}")).await;
        let _ = admin.close().await;
        Self {
            url: in_database(&server, &name),
            directory,
            postgres: Some((server, name)),
        }
    }

    /// How to open it by way of a pooler, if there is to be one.
    pub(crate) fn pooled_url(&self) -> Option<String> {
        let pooler = std::env::var("LEDGERBELL_TEST_POOLER_URL")
            .ok()
            .filter(|url| !url.is_empty())?;
        let (_, name) = self.postgres.as_ref()?;
        Some(in_database(&pooler, name))
    }

    /// Removes the database from its server. A file goes with its directory.
    pub(crate) async fn remove(&mut self) {
        if let Some((server, name)) = self.postgres.take() {
            let admin = connect(&server).await;
            execute(&admin, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
            let _ = admin.close().await;
        }
    }
}

/// Runs `work` to its end on a thread and runtime of its own: for `drop`, which may not wait on the test's.
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

/// Seconds since 1970.
fn seconds_now() -> u64 {
    Clock::system().now().millis().unsigned_abs() / 1_000
}

fn unique_name() -> String {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let now = seconds_now();
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    format!("{PREFIX}{now}_{}_{number}", std::process::id())
}

/// A migrated SQLite file, made once for this process.
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

/// The name of a migrated Postgres database that nobody is connected to. Made by the first test of the first process that needs
/// it; named after the migrations, so that a changed one makes another.
async fn postgres_template(server: &str) -> &'static str {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    TEMPLATE
        .get_or_init(|| async {
            let name = format!("ledgerbell_template_{}", digest_of_migrations());
            let admin = connect(server).await;
            execute(&admin, &format!("SELECT pg_advisory_lock({TEMPLATE_LOCK})")).await;
            drop_left_behind(&admin, &name).await;
            if !exists(&admin, &name).await {
                // Renamed when whole, so that a run that dies here leaves nothing that looks like a template.
                let draft = unique_name();
                execute(&admin, &format!("CREATE DATABASE {draft}")).await;
                migrate(&in_database(server, &draft)).await;
                execute(&admin, &format!("ALTER DATABASE {draft} RENAME TO {name}")).await;
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
            // Somebody may be at it in the same moment, or still use it: then it stays until the next run.
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

/// One connection, so that locks and what they guard are on the same.
async fn connect(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    sea_orm::Database::connect(options)
        .await
        .expect("the Postgres of LEDGERBELL_TEST_DATABASE_URL")
}

async fn execute(admin: &DatabaseConnection, sql: &str) {
    admin
        .execute_unprepared(sql)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// The same server, another database.
fn in_database(server: &str, name: &str) -> String {
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
