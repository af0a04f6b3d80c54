//! The connections of a database, and those that are kept between statements.
//!
//! The driver tests a connection whenever it returns to the driver's pool. That is a round trip and a task for every statement. So
//! a clean connection is kept here instead, and the next statement takes it.
//!
//! *Invariant:* the connections that are kept and lent, and the callers that wait for one from the driver, are never more than the
//! driver's pool has. A caller first waits for a turn, of which there are as many as connections. With its turn it either takes a
//! kept connection, or nothing is kept and the driver has one for it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::{self, PgPool, Postgres, Sqlite, SqlitePool};
use sea_orm::{DatabaseConnection, DbBackend};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::shared::Suspicion;

/// How long a connection may take to prove that it still answers when it returns to the driver's pool.
const RETURN_WITHIN: Duration = Duration::from_secs(2);

/// How long a connection is kept without use.
const KEPT_FOR: Duration = Duration::from_secs(1);

/// How long the same connection is used until it returns to the driver's pool, which tests it and limits its lifetime.
const USED_FOR: Duration = Duration::from_mins(1);

/// The connections of one of the two databases. Clones share them.
#[derive(Clone)]
pub(super) struct Pool {
    driver: Driver,
    turns: Arc<Semaphore>,
    /// The number of turns.
    size: usize,
    /// The number of callers that wait for a turn.
    waiting: Arc<AtomicUsize>,
    kept: Arc<Mutex<Kept>>,
}

/// How many connections a pool has, and what they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolUsage {
    /// The maximum number of connections.
    pub size: usize,
    /// Those that are lent, or are being opened for a caller.
    pub in_use: usize,
    /// Those that are kept for the next caller. The driver may have more.
    pub idle: usize,
    /// The number of callers that wait because all are lent.
    pub waiting: usize,
}

/// A caller that waits for a turn.
struct Waiting<'w>(&'w AtomicUsize);

impl<'w> Waiting<'w> {
    fn on(waiting: &'w AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Clone)]
enum Driver {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// Runs the same code on the pool or the connection of either database.
macro_rules! on_either {
    ($type:ident, $either:expr, $value:ident => $code:expr) => {
        match $either {
            $type::Sqlite($value) => $code,
            $type::Postgres($value) => $code,
        }
    };
}
pub(super) use on_either;

#[derive(Default)]
struct Kept {
    /// With the time since when each is unused: the last one was used last.
    unused: VecDeque<(Opened, Instant)>,
    is_closed: bool,
}

/// A connection that is lent, and the turn of the caller.
pub(super) struct Lease {
    opened: Opened,
    turn: OwnedSemaphorePermit,
}

/// A connection, and when it was taken from the driver's pool.
struct Opened {
    connection: Connection,
    taken_at: Instant,
}

pub(super) enum Connection {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

impl Pool {
    pub(super) fn of(connection: &DatabaseConnection) -> Self {
        let driver = match connection.get_database_backend() {
            DbBackend::Sqlite => Driver::Sqlite(connection.get_sqlite_connection_pool().clone()),
            _ => Driver::Postgres(connection.get_postgres_connection_pool().clone()),
        };
        let connections = on_either!(Driver, &driver, pool => pool.options().get_max_connections());
        Self {
            turns: Arc::new(Semaphore::new(connections as usize)),
            size: connections as usize,
            waiting: Arc::default(),
            driver,
            kept: Arc::default(),
        }
    }

    pub(super) const fn backend(&self) -> DbBackend {
        match self.driver {
            Driver::Sqlite(_) => DbBackend::Sqlite,
            Driver::Postgres(_) => DbBackend::Postgres,
        }
    }

    /// Returns what the connections do.
    pub(super) fn usage(&self) -> PoolUsage {
        PoolUsage {
            size: self.size,
            in_use: self.size.saturating_sub(self.turns.available_permits()),
            idle: self.kept().unused.len(),
            waiting: self.waiting.load(Ordering::Relaxed),
        }
    }

    /// Whether both have the same connections.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.turns, &other.turns)
    }

    /// The driver's pool of SQLite.
    pub(super) const fn sqlite(&self) -> Option<&SqlitePool> {
        match &self.driver {
            Driver::Sqlite(pool) => Some(pool),
            Driver::Postgres(_) => None,
        }
    }

    /// Waits for a connection. One that was unused when a connection was suspected to be dead is tested before.
    pub(super) async fn lend(&self, suspicion: &Suspicion) -> Result<Lease, sqlx::Error> {
        let longest = on_either!(Driver, &self.driver, pool => pool.options().get_acquire_timeout());
        let turn = async {
            if let Ok(turn) = Arc::clone(&self.turns).try_acquire_owned() {
                return Ok(turn);
            }
            let _waiting = Waiting::on(&self.waiting);
            Arc::clone(&self.turns).acquire_owned().await
        };
        let turn = match tokio::time::timeout(longest, turn).await {
            Ok(Ok(turn)) => turn,
            Ok(Err(_closed)) => return Err(sqlx::Error::PoolClosed),
            Err(_elapsed) => return Err(sqlx::Error::PoolTimedOut),
        };
        if let Some((opened, since)) = self.kept().unused.pop_back() {
            let unused_for = since.elapsed();
            if unused_for < KEPT_FOR && !suspicion.concerns(unused_for) {
                return Ok(Lease { opened, turn });
            }
            opened.give_back();
        }
        let connection = match &self.driver {
            Driver::Sqlite(pool) => Connection::Sqlite(pool.acquire().await?),
            Driver::Postgres(pool) => Connection::Postgres(pool.acquire().await?),
        };
        let taken_at = Instant::now();
        let opened = Opened { connection, taken_at };
        Ok(Lease { opened, turn })
    }

    /// Takes back a clean connection, and keeps it for the next caller.
    pub(super) fn keep(&self, lease: Lease) {
        // The turn ends with this function, when the next caller finds the connection.
        let Lease { opened, turn: _turn } = lease;
        let mut kept = self.kept();
        if kept.is_closed || opened.taken_at.elapsed() > USED_FOR {
            opened.give_back();
        } else {
            kept.unused.push_back((opened, Instant::now()));
        }
        while let Some((_, since)) = kept.unused.front()
            && since.elapsed() > KEPT_FOR
            && let Some((unused, _)) = kept.unused.pop_front()
        {
            unused.give_back();
        }
    }

    /// Returns the connections that are kept to the driver's pool, for those who use it directly.
    pub(super) fn give_back(&self) {
        let unused = std::mem::take(&mut self.kept().unused);
        for (opened, _) in unused {
            opened.give_back();
        }
    }

    /// Closes all connections once their work has ended.
    pub(super) async fn close(&self) {
        self.kept().is_closed = true;
        self.give_back();
        on_either!(Driver, &self.driver, pool => pool.close().await);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pool").field(&self.backend()).finish()
    }
}

impl Opened {
    /// Returns the connection to the driver's pool, which tests it without a deadline of its own.
    fn give_back(mut self) {
        on_either!(Connection, &mut self.connection, connection => {
            tokio::spawn(tokio::time::timeout(RETURN_WITHIN, connection.return_to_pool()));
        });
    }
}

impl Lease {
    pub(super) const fn connection(&mut self) -> &mut Connection {
        &mut self.opened.connection
    }

    /// Closes the connection without a message to the server. Its place in the driver's pool is free at once.
    pub(super) fn close(self) {
        on_either!(Connection, self.opened.connection, connection => drop(connection.detach()));
    }
}
