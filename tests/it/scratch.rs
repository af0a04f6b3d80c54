//! Empty databases, for tests below the public API.

use ledgerbell::adapters::database::{OpenOptions, migrate, open};
use ledgerbell::domain::database::Database;

use crate::harness::{citus, citus_coordinator, in_database};
use crate::server_for_tests::postgres_server;

/// A new database without tables.
pub(crate) struct Scratch {
    pub(crate) database: Database,
    pub(crate) url: String,
    owned: Owned,
}

/// What is removed at the end.
enum Owned {
    Directory(#[allow(dead_code, reason = "held for its Drop")] tempfile::TempDir),
    Postgres { server: String, name: String },
}

pub(crate) async fn empty_sqlite() -> Scratch {
    let directory = tempfile::tempdir().expect("a directory");
    let url = format!("sqlite://{}?mode=rwc", directory.path().join("empty.db").display());
    Scratch {
        database: open(&url, OpenOptions::default()).await.expect("opens"),
        url,
        owned: Owned::Directory(directory),
    }
}

/// Returns `None` if no Postgres runs: the script for all tests ensures that one runs. A cluster that is named is used instead.
async fn empty_postgres() -> Option<Scratch> {
    let server = match citus_coordinator() {
        Some(coordinator) => coordinator,
        None => postgres_server().await?.to_owned(),
    };
    let name = format!("ledgerbell_empty_{}", uuid::Uuid::new_v4().simple());
    citus::create(&server, &name).await;
    let url = in_database(&server, &name);
    Some(Scratch {
        database: open(&url, OpenOptions::default()).await.expect("opens"),
        url,
        owned: Owned::Postgres { server, name },
    })
}

impl Scratch {
    /// Creates the tables. Those of a cluster are distributed.
    pub(crate) async fn migrate(&self) {
        migrate(&self.database).await.expect("migrates");
        citus::distribute(&self.database).await;
    }

    /// Removes the database. A database that a failed test leaves is harmless.
    pub(crate) async fn drop_it(self) {
        self.database.close().await.expect("closes");
        if let Owned::Postgres { server, name } = &self.owned {
            citus::remove(server, name).await;
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
