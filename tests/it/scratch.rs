//! Empty databases, for tests below the public API.

use ledgerbell::adapters::database::{OpenOptions, open};
use ledgerbell::domain::database::Database;
use sea_orm::ConnectionTrait;

use crate::server_for_tests::postgres_server;

/// A new database without tables.
pub(crate) struct Scratch {
    pub(crate) database: Database,
    pub(crate) url: String,
    _directory: Option<tempfile::TempDir>,
}

pub(crate) async fn empty_sqlite() -> Scratch {
    let directory = tempfile::tempdir().expect("a directory");
    let url = format!("sqlite://{}?mode=rwc", directory.path().join("empty.db").display());
    Scratch {
        database: open(&url, OpenOptions::default()).await.expect("opens"),
        url,
        _directory: Some(directory),
    }
}

/// Returns `None` if no Postgres runs: the script for all tests ensures that one runs.
async fn empty_postgres() -> Option<Scratch> {
    let server = postgres_server().await?;
    let admin = open(server, OpenOptions::default()).await.expect("opens");
    let name = format!("ledgerbell_empty_{}", uuid::Uuid::new_v4().simple());
    run(&admin, &format!("CREATE DATABASE {name}")).await;
    admin.close().await.expect("closes");
    let (start, _) = server.rsplit_once('/').expect("a URL with a database");
    let url = format!("{start}/{name}");
    Some(Scratch {
        database: open(&url, OpenOptions::default()).await.expect("opens"),
        url,
        _directory: None,
    })
}

impl Scratch {
    /// Removes the database. A database that a failed test leaves is harmless.
    pub(crate) async fn drop_it(self) {
        self.database.close().await.expect("closes");
        if let Some((server, name)) = self.url.rsplit_once('/').filter(|_| self.url.starts_with("postgres")) {
            let admin = open(&format!("{server}/postgres"), OpenOptions::default())
                .await
                .expect("opens");
            run(&admin, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
            admin.close().await.expect("closes");
        }
    }
}

/// Creates an empty one of each available kind.
pub(crate) async fn each_database() -> Vec<Scratch> {
    [Some(empty_sqlite().await), empty_postgres().await]
        .into_iter()
        .flatten()
        .collect()
}

/// Outside any transaction, as CREATE DATABASE requires.
async fn run(database: &Database, sql: &str) {
    database.read().execute_unprepared(sql).await.expect("runs");
}
