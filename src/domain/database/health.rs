//! Whether the database accepts writes, and which trouble it has.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::{Database, PoolUsage, Transaction, Trouble};
use crate::domain::fault::Fault;
use crate::primitives::clock::Clock;

/// How long the result of one write is reused.
const FRESH: Duration = Duration::from_secs(1);
/// How much is written while there is trouble, in bytes. A write that needs no space would succeed on a full disk.
const BULK: usize = 256 * 1024;

/// Tests the database by a small write, at most once a second, whatever the number of callers.
#[derive(Clone, Debug)]
pub struct Health {
    database: Database,
    probe: Arc<Mutex<Probe>>,
}

#[derive(Debug, Default)]
struct Probe {
    last: Option<(Instant, Result<(), Fault>)>,
    /// A write without a result yet. No second one is started beside it.
    under_way: Option<JoinHandle<Result<(), Fault>>>,
}

impl Health {
    /// Tests this database.
    pub fn new(database: Database) -> Self {
        Self {
            database,
            probe: Arc::default(),
        }
    }

    /// Succeeds if a write was committed within the last second, or is committed within `timeout`.
    pub async fn writes(&self, timeout: Duration) -> Result<(), Fault> {
        let mut probe = self.probe.lock().await;
        if let Some((at, result)) = &probe.last
            && at.elapsed() < FRESH
        {
            return result.clone();
        }
        let database = &self.database;
        let under_way = probe
            .under_way
            .get_or_insert_with(|| tokio::spawn(write(database.clone())));
        let Ok(ended) = tokio::time::timeout(timeout, under_way).await else {
            let text = format!(
                "the database has not answered a write within {} ms",
                timeout.as_millis()
            );
            return Err(Fault::Unavailable(text));
        };
        probe.under_way = None;
        let result = ended.unwrap_or_else(|death| Err(Fault::Internal(format!("the write probe died: {death}"))));
        probe.last = Some((Instant::now(), result.clone()));
        result
    }

    /// Returns the last trouble with its error, unless a write was committed since.
    pub fn trouble(&self) -> Option<(Trouble, String)> {
        self.database.trouble()
    }

    /// How often each trouble occurred.
    pub fn troubles(&self) -> Vec<(Trouble, u64)> {
        self.database.troubles()
    }

    /// What the connections of each pool do, by its name.
    pub fn pools(&self) -> Vec<(&'static str, PoolUsage)> {
        self.database.pools()
    }

    /// Number of connections that were closed because they were not known to be clean.
    pub fn closed_connections(&self) -> u64 {
        self.database.closed_connections()
    }
}

/// A write that changes nothing, and what the database's clock shows.
const TOUCH: &str = "UPDATE installation SET epoch = epoch \
                     RETURNING CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) AS millis";

/// Commits a write that changes nothing of meaning.
async fn write(database: Database) -> Result<(), Fault> {
    let (backend, is_in_trouble) = (database.backend(), database.trouble().is_some());
    database
        .probe(move |tx| {
            Box::pin(async move {
                if backend != DbBackend::Sqlite {
                    let statement = Statement::from_string(backend, TOUCH);
                    if let Some(row) = tx.query_one_raw(statement).await? {
                        Clock::refer_to(row.try_get("", "millis")?);
                    }
                    return Ok(());
                }
                // A number in the file's header that is not used for anything else.
                let number = getrandom::u32().unwrap_or_default() >> 1;
                tx.execute_unprepared(&format!("PRAGMA user_version = {number}"))
                    .await?;
                if is_in_trouble {
                    take_space(tx).await?;
                }
                Ok(())
            })
        })
        .await
}

/// Writes pages that are free again at once.
async fn take_space(tx: &Transaction) -> Result<(), Fault> {
    tx.execute_unprepared("CREATE TABLE write_probe (filling BLOB)").await?;
    tx.execute_unprepared(&format!("INSERT INTO write_probe VALUES (randomblob({BULK}))"))
        .await?;
    tx.execute_unprepared("DROP TABLE write_probe").await?;
    Ok(())
}
