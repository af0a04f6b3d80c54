//! Databases to read from: a SQLite file and a separate Postgres database, empty except for the schema. A Citus cluster that is named is
//! used instead of Postgres, except for plans: a cluster has others.

use std::sync::{Arc, Mutex};

use ledgerbell::adapters::database::{OpenOptions, migrate, open};
use ledgerbell::domain::database::Database;
use ledgerbell::domain::event::SilentBell;
use ledgerbell::domain::ledger::model::Policy;
use ledgerbell::domain::ledger::{EngineSettings, Ledger, LedgerSettings};
use ledgerbell::primitives::clock::Clock;
use ledgerbell::primitives::credits::Credits;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use uuid::Uuid;

use crate::harness::{citus, citus_coordinator, elsewhere, in_database};
use crate::server_for_tests::postgres_server;

/// A database that records its statements.
pub(crate) struct Ground {
    pub(crate) database: Database,
    asked: Arc<Mutex<Vec<Statement>>>,
    writer: DatabaseConnection,
    owned: Owned,
}

/// What is removed at the end.
enum Owned {
    Directory(#[allow(dead_code, reason = "held for its Drop")] tempfile::TempDir),
    Postgres { server: String, name: String },
    Cluster { coordinator: String, name: String },
}

impl Ground {
    /// Starts a ledger on it that writes alone and rings no bell.
    pub(crate) fn ledger(&self, clock: &Clock, overage_limit: Credits) -> Ledger {
        let settings = LedgerSettings {
            engine: EngineSettings::ONE_WRITER,
            policy: Policy { overage_limit },
        };
        let bell = Arc::new(SilentBell);
        Ledger::start(self.database.clone(), clock.clone(), Uuid::nil(), settings, bell)
    }

    /// Creates one of each available kind.
    pub(crate) async fn each() -> Vec<Self> {
        let second = match Self::cluster().await {
            Some(cluster) => Some(cluster),
            None => Self::postgres().await,
        };
        [Some(Self::sqlite().await), second].into_iter().flatten().collect()
    }

    /// Creates one of each available kind whose plans name tables and indexes.
    pub(crate) async fn each_with_plans() -> Vec<Self> {
        [Some(Self::sqlite().await), Self::postgres().await]
            .into_iter()
            .flatten()
            .collect()
    }

    pub(crate) async fn sqlite() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let url = format!("sqlite://{}/it.db?mode=rwc", directory.path().display());
        Self::at(&url, Owned::Directory(directory)).await
    }

    /// Returns `None` if no Postgres runs: the script for all tests ensures that one runs.
    pub(crate) async fn postgres() -> Option<Self> {
        let server = postgres_server().await?.to_owned();
        let name = new_name();
        on_server(&server, &format!("CREATE DATABASE {name}"))
            .await
            .expect("makes a database");
        let url = in_database(&server, &name);
        Some(Self::at(&url, Owned::Postgres { server, name }).await)
    }

    async fn cluster() -> Option<Self> {
        let coordinator = citus_coordinator()?;
        let name = new_name();
        citus::create(&coordinator, &name).await;
        let url = in_database(&coordinator, &name);
        let ground = Self::at(&url, Owned::Cluster { coordinator, name }).await;
        citus::distribute(&ground.database).await;
        Some(ground)
    }

    async fn at(url: &str, owned: Owned) -> Self {
        let opened = open(url, OpenOptions::default()).await.expect("opens");
        migrate(&opened).await.expect("migrates");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let database = opened.observed_by(move |statement| log.lock().expect("lock").push(statement.clone()));
        Self {
            database,
            writer: sea_orm::Database::connect(url).await.expect("connects"),
            asked,
            owned,
        }
    }

    pub(crate) fn backend(&self) -> DbBackend {
        self.database.backend()
    }

    pub(crate) fn name(&self) -> &'static str {
        match self.owned {
            Owned::Directory(_) => "SQLite",
            Owned::Postgres { .. } => "Postgres",
            Owned::Cluster { .. } => "Citus",
        }
    }

    /// Returns the recorded statements and clears them.
    pub(crate) fn take_asked(&self) -> Vec<Statement> {
        std::mem::take(&mut self.asked.lock().expect("lock"))
    }

    /// Runs statements one by one, without a time limit.
    pub(crate) async fn load(&self, statements: &[String]) {
        let url = match &self.owned {
            Owned::Directory(_) => None,
            Owned::Postgres { server, name } => Some(in_database(server, name)),
            Owned::Cluster { coordinator, name } => Some(in_database(coordinator, name)),
        };
        let connection = match url {
            Some(url) => sea_orm::Database::connect(url).await.expect("connects"),
            None => self.writer.clone(),
        };
        for statement in statements {
            connection
                .execute_unprepared(statement)
                .await
                .unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }

    /// Runs a statement that may write.
    pub(crate) async fn execute(&self, statement: Statement) {
        let writer = self.database.clone();
        writer
            .transaction(move |tx| {
                let statement = statement.clone();
                Box::pin(async move {
                    tx.execute_raw(statement).await?;
                    Ok::<(), ledgerbell::domain::fault::Fault>(())
                })
            })
            .await
            .expect("executes");
    }

    pub(crate) async fn execute_text(&self, text: &str) {
        self.execute(Statement::from_string(self.backend(), text)).await;
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = match &self.owned {
            Owned::Directory(_) => Ok(()),
            Owned::Postgres { server, name } => elsewhere(async {
                let dropped = on_server(server, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
                dropped.expect("the database is dropped");
            }),
            Owned::Cluster { coordinator, name } => elsewhere(citus::remove(coordinator, name)),
        };
    }
}

fn new_name() -> String {
    format!("ledgerbell_reading_{}", Uuid::new_v4().simple())
}

async fn on_server(server: &str, statement: &str) -> Result<(), sea_orm::DbErr> {
    let connection = sea_orm::Database::connect(server).await?;
    connection.execute_unprepared(statement).await?;
    connection.close().await
}
