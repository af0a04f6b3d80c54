//! A second connection to a SQLite database, which must see a commit before any caller gets the result.

use sea_orm::sqlx::{self, ConnectOptions as _, Executor as _, Row as _, SqlitePool, sqlite::SqliteConnection};
use tokio::sync::Mutex;

use super::pool::Pool;

/// Sees commits of another connection.
///
/// `PRAGMA data_version` changes on this connection with each commit of another one that changed anything. A transaction that
/// wrote nothing does not change it. Then the write lock must be free, which an open transaction of the writer would hold.
#[derive(Debug)]
pub(super) struct Witness {
    writer: SqlitePool,
    sight: Mutex<Sight>,
}

#[derive(Default)]
struct Sight {
    connection: Option<SqliteConnection>,
    version: Option<i64>,
}

impl std::fmt::Debug for Sight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sight")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl Witness {
    /// Watches the commits of this pool. There is none on Postgres, where it would cost each transaction a round
    /// trip.
    pub(super) fn of(writer: &Pool) -> Option<Self> {
        Some(Self {
            writer: writer.sqlite()?.clone(),
            sight: Mutex::default(),
        })
    }

    /// Returns once this connection has seen that the writer's last transaction has ended. Fails if it has not ended, or if
    /// that cannot be determined.
    pub(super) async fn see(&self) -> Result<(), sqlx::Error> {
        let mut sight = self.sight.lock().await;
        // The connection is taken out, so that a check that fails or is canceled leaves none behind.
        let mut connection = if let Some(connection) = sight.connection.take() {
            connection
        } else {
            sight.version = None;
            self.writer.connect_options().connect().await?
        };
        let row = connection.fetch_one("PRAGMA data_version").await?;
        let version = row.try_get::<i64, _>(0)?;
        let has_changed = sight.version.replace(version).is_some_and(|last| last != version);
        if !has_changed {
            connection.execute("BEGIN IMMEDIATE").await?;
            connection.execute("ROLLBACK").await?;
        }
        sight.connection = Some(connection);
        Ok(())
    }

    pub(super) async fn close(&self) {
        self.sight.lock().await.connection = None;
    }
}
