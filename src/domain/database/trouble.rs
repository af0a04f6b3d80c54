//! Conditions in which the database cannot work, whatever the request is: their kinds, how often they occurred, and whether the
//! last write ended in one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sea_orm::sqlx::error::{DatabaseError, Error as DriverError};
use sea_orm::{DbErr, RuntimeErr};

/// A condition of the machine, the disk, the network or the database server. It is not caused by a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The disk or a quota is full.
    Full,
    /// Reading or writing the disk failed.
    Io,
    /// The database refuses writes: a read-only file system, or a standby server.
    ReadOnly,
    /// Out of memory, of file descriptors for the database, or of the server's connections.
    Exhausted,
    /// The database file cannot be opened.
    CannotOpen,
    /// The database file is damaged, or is not a database.
    Corrupt,
    /// The database server starts, stops, or has crashed.
    Restarting,
    /// No connection is available, or it was lost.
    Unreachable,
    /// A connection is open and does not answer.
    Silent,
    /// A commit succeeded, and a second connection does not see it.
    Unproven,
}

impl Trouble {
    /// All conditions, in the order of the metrics.
    pub const ALL: [Self; 10] = [
        Self::Full,
        Self::Io,
        Self::ReadOnly,
        Self::Exhausted,
        Self::CannotOpen,
        Self::Corrupt,
        Self::Restarting,
        Self::Unreachable,
        Self::Silent,
        Self::Unproven,
    ];

    /// The name in metrics and in health reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Io => "io",
            Self::ReadOnly => "read_only",
            Self::Exhausted => "exhausted",
            Self::CannotOpen => "cannot_open",
            Self::Corrupt => "corrupt",
            Self::Restarting => "restarting",
            Self::Unreachable => "unreachable",
            Self::Silent => "silent",
            Self::Unproven => "unproven",
        }
    }

    /// Returns the condition with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trouble| trouble.name() == name)
    }

    /// What it means and what to do, for operators.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Full => "the disk of the database is full: free space or enlarge it",
            Self::Io => "the disk of the database cannot be read or written: check the system's log and the disk",
            Self::ReadOnly => {
                "the database refuses writes: the file system is mounted read-only, the file may not be written, or the \
                 server is a standby"
            }
            Self::Exhausted => {
                "memory, file descriptors or the connections of the database server are used up: raise the limits or use fewer"
            }
            Self::CannotOpen => {
                "the database file cannot be opened: check that it and its directory exist and may be written"
            }
            Self::Corrupt => "the database file is damaged: stop, keep a copy, and restore a backup",
            Self::Restarting => "the database server starts, stops or has crashed: wait, or check its log",
            Self::Unreachable => {
                "the database server cannot be reached: check the network, its address and that it runs"
            }
            Self::Silent => "open connections to the database get no response: check the network between them",
            Self::Unproven => {
                "a commit was not seen by a second connection: check the disk and run `ledgerbell verify`"
            }
        }
    }

    /// Returns the condition that an error indicates, if any.
    pub fn of(error: &DbErr) -> Option<Self> {
        match error {
            DbErr::Conn(RuntimeErr::SqlxError(driver))
            | DbErr::Exec(RuntimeErr::SqlxError(driver))
            | DbErr::Query(RuntimeErr::SqlxError(driver)) => Self::of_driver(driver),
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => Some(Self::Unreachable),
            _ => None,
        }
    }

    pub(super) fn of_driver(error: &DriverError) -> Option<Self> {
        match error {
            DriverError::Database(error) => Self::of_database(error.as_ref()),
            DriverError::Io(_)
            | DriverError::Tls(_)
            | DriverError::Protocol(_)
            | DriverError::PoolTimedOut
            | DriverError::PoolClosed
            | DriverError::WorkerCrashed => Some(Self::Unreachable),
            _ => None,
        }
    }

    fn of_database(error: &dyn DatabaseError) -> Option<Self> {
        let code = error.code()?;
        if is_of_sqlite(error) {
            return Self::of_sqlite_code(primary_code(&code)?);
        }
        Self::of_state(&code)
    }

    /// Maps SQLite's primary result code.
    const fn of_sqlite_code(code: u32) -> Option<Self> {
        Some(match code {
            7 => Self::Exhausted,
            8 => Self::ReadOnly,
            10 => Self::Io,
            11 | 26 => Self::Corrupt,
            13 => Self::Full,
            14 => Self::CannotOpen,
            _ => return None,
        })
    }

    /// Maps Postgres's SQLSTATE.
    fn of_state(state: &str) -> Option<Self> {
        Some(match state {
            "25006" => Self::ReadOnly,
            "53100" => Self::Full,
            // Crashes and shutdowns, and connections that end because of them. 57P05 ends only idle
            // connections.
            "57P01" | "57P02" | "57P03" => Self::Restarting,
            "58030" => Self::Io,
            "XX001" | "XX002" => Self::Corrupt,
            _ if state.starts_with("53") => Self::Exhausted,
            _ if state.starts_with("08") => Self::Unreachable,
            _ => return None,
        })
    }
}

/// Whether SQLite reports it.
pub(super) fn is_of_sqlite(error: &dyn DatabaseError) -> bool {
    error.try_downcast_ref::<sea_orm::sqlx::sqlite::SqliteError>().is_some()
}

/// The low byte of SQLite's extended result code.
pub(super) fn primary_code(code: &str) -> Option<u32> {
    code.parse::<u32>().ok().map(|code| code & 0xff)
}

/// Counts troubles, and keeps the last one until a write succeeds.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    counts: [AtomicU64; Trouble::ALL.len()],
    last: Mutex<Option<(Trouble, String)>>,
    closed: AtomicU64,
}

impl Troubles {
    pub(super) fn note(&self, trouble: Trouble, text: String) {
        self.counts[trouble as usize].fetch_add(1, Ordering::Relaxed);
        *self.last() = Some((trouble, text));
    }

    /// Records a committed write: the database works.
    pub(super) fn end(&self) {
        let ended = self.last().take();
        if let Some((trouble, _)) = ended {
            tracing::info!(trouble = trouble.name(), "the database accepts writes again");
        }
    }

    /// Counts a connection that was closed because it was not known to be clean.
    pub(super) fn closed_one(&self) {
        self.closed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn closed(&self) -> u64 {
        self.closed.load(Ordering::Relaxed)
    }

    pub(super) fn current(&self) -> Option<(Trouble, String)> {
        self.last().clone()
    }

    pub(super) fn counts(&self) -> Vec<(Trouble, u64)> {
        let count = |trouble: Trouble| (trouble, self.counts[trouble as usize].load(Ordering::Relaxed));
        Trouble::ALL.into_iter().map(count).collect()
    }

    fn last(&self) -> MutexGuard<'_, Option<(Trouble, String)>> {
        // Each change is one assignment, so a poisoned value is consistent.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_both_databases_name_their_trouble() {
        let sqlite = [
            (13, Trouble::Full),
            (10, Trouble::Io),
            (8, Trouble::ReadOnly),
            (7, Trouble::Exhausted),
        ];
        for (code, trouble) in sqlite {
            assert_eq!(Trouble::of_sqlite_code(code), Some(trouble));
        }
        for (code, trouble) in [
            (14, Trouble::CannotOpen),
            (11, Trouble::Corrupt),
            (26, Trouble::Corrupt),
        ] {
            assert_eq!(Trouble::of_sqlite_code(code), Some(trouble));
        }
        // Busy, locked, and a violated constraint belong to the request.
        for code in [5, 6, 19] {
            assert_eq!(Trouble::of_sqlite_code(code), None);
        }
        assert_eq!(primary_code("778"), Some(10), "IOERR_WRITE");
        let states = [
            ("25006", Trouble::ReadOnly),
            ("53100", Trouble::Full),
            ("53200", Trouble::Exhausted),
        ];
        for (state, trouble) in states {
            assert_eq!(Trouble::of_state(state), Some(trouble));
        }
        for state in ["57P01", "57P02", "57P03"] {
            assert_eq!(Trouble::of_state(state), Some(Trouble::Restarting));
        }
        for state in ["23505", "40001", "55P03", "57014"] {
            assert_eq!(Trouble::of_state(state), None);
        }
    }

    #[test]
    fn names_are_at_their_place() {
        for (at, trouble) in Trouble::ALL.into_iter().enumerate() {
            assert_eq!(trouble as usize, at);
        }
    }
}
