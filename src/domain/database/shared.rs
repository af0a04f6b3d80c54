//! State that all connections of a database share: deadlines, counts, and whether connections are suspected to be
//! dead.

use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::{DbErr, Statement, sqlx};

use super::trouble::{Trouble, Troubles};
use crate::domain::wake::Wake;

/// After this time without an answer a connection may be dead. The caller still waits for it. Idle connections are tested before they are
/// used.
const SUSPICIOUS: Duration = Duration::from_secs(3);

/// How long the client waits for the database, whatever the server or the network does.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// For a statement, and for COMMIT. Longer than the server's own limit, which should apply first.
    pub statement: Duration,
    /// For requests that normally take no time: BEGIN and ROLLBACK. On SQLite, BEGIN may have to wait for the
    /// write lock.
    pub turn: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            statement: Duration::from_secs(14),
            turn: Duration::from_secs(8),
        }
    }
}

/// The suspicion that connections which were idle for some time are dead: the time since when one of them did not answer.
///
/// A network that loses one connection has most likely lost the others too. Connections that were idle then are tested before
/// they are used.
#[derive(Clone, Debug, Default)]
pub struct Suspicion(Arc<Mutex<Option<Instant>>>);

impl Suspicion {
    /// Records that a connection did not answer.
    pub fn arise(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether a connection that has been idle for this long was idle already when the suspicion arose.
    pub fn concerns(&self, idle_for: Duration) -> bool {
        let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        since.is_some_and(|since| idle_for >= since.elapsed())
    }
}

type Observer = Arc<dyn Fn(&Statement) + Send + Sync>;

/// State that the sessions of a database share.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) deadlines: Deadlines,
    pub(super) suspicion: Suspicion,
    pub(super) troubles: Troubles,
    /// Wakes the workers of this process after each commit.
    pub(super) wake: Wake,
    pub(super) observer: Option<Observer>,
    statements: AtomicU64,
    #[cfg(test)]
    pub(super) injector: super::injector::Injector,
}

impl Shared {
    pub(super) fn new(deadlines: Deadlines, suspicion: Suspicion, observer: Option<Observer>) -> Self {
        Self {
            deadlines,
            suspicion,
            observer,
            ..Self::default()
        }
    }

    pub(super) fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    pub(super) fn observe(&self, statement: &Statement) {
        self.statements.fetch_add(1, Ordering::Relaxed);
        if let Some(observer) = &self.observer {
            observer(statement);
        }
    }

    /// Waits for a statement, up to the deadline of statements.
    pub(super) async fn bounded<T>(
        &self,
        answer: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        self.within(self.deadlines.statement, answer).await
    }

    /// Waits for a request that normally takes no time.
    pub(super) async fn soon<T>(&self, answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
        self.within(self.deadlines.turn, answer).await
    }

    async fn within<T>(
        &self,
        time: Duration,
        answer: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        #[cfg(test)]
        let (time, answer) = (self.injector.time_limit(time), self.injector.pass(answer));
        let (early, mut answer) = (time.min(SUSPICIOUS), pin!(answer));
        for time in [early, time.saturating_sub(early)] {
            if let Ok(answer) = tokio::time::timeout(time, answer.as_mut()).await {
                return answer;
            }
            self.suspicion.arise();
        }
        let text = format!("the database has not answered within {} ms", time.as_millis());
        Err(sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, text)))
    }

    /// Counts the trouble that an error indicates, and returns the error.
    pub(super) fn noted(&self, error: DbErr) -> DbErr {
        if let Some(trouble) = Trouble::of(&error) {
            self.troubles.note(trouble, error.to_string());
        }
        error
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("troubles", &self.troubles)
            .finish_non_exhaustive()
    }
}
