//! Which errors of the database pass by themselves, and which do not.

use sea_orm::sqlx::error::{DatabaseError, Error as DriverError};
use sea_orm::{DbErr, RuntimeErr};

use crate::domain::fault::{Fault, QueryError};

/// An error of a use case among whose cases is a [`Fault`].
pub trait MayFault: From<Fault> {
    /// The fault, when it is one.
    fn fault(&self) -> Option<&Fault>;
}

impl MayFault for Fault {
    fn fault(&self) -> Option<&Fault> {
        Some(self)
    }
}

impl MayFault for QueryError {
    fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            Self::Access(_) | Self::Invalid { .. } => None,
        }
    }
}

/// Unavailable is what may go better next time: no connection, a lost one, a transaction that lost to another. Contended is a
/// lock not got in time. The rest is a bug or a broken database.
impl From<DbErr> for Fault {
    fn from(error: DbErr) -> Self {
        let fault = match &error {
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => Self::Unavailable,
            DbErr::Exec(RuntimeErr::SqlxError(driver)) | DbErr::Query(RuntimeErr::SqlxError(driver)) => {
                of_driver(driver)
            }
            _ => Self::Internal,
        };
        fault(error.to_string())
    }
}

fn of_driver(error: &DriverError) -> fn(String) -> Fault {
    match error {
        DriverError::Database(error) => error
            .code()
            .map_or(Fault::Internal, |code| of_code(error.as_ref(), &code)),
        DriverError::Io(_)
        | DriverError::Tls(_)
        | DriverError::Protocol(_)
        | DriverError::PoolTimedOut
        | DriverError::PoolClosed
        | DriverError::WorkerCrashed => Fault::Unavailable,
        _ => Fault::Internal,
    }
}

fn of_code(error: &dyn DatabaseError, code: &str) -> fn(String) -> Fault {
    if error.try_downcast_ref::<sea_orm::sqlx::sqlite::SqliteError>().is_some() {
        // The low byte is the primary code: BUSY and LOCKED, which on SQLite is the whole database.
        let is_busy = code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6));
        return if is_busy { Fault::Unavailable } else { Fault::Internal };
    }
    match code {
        // Lock timeout.
        "55P03" => Fault::Contended,
        // Serialization failure and deadlock; statement timeout; the server shuts down, crashed or starts up; idle in a
        // transaction for too long.
        "40001" | "40P01" | "57014" | "57P01" | "57P02" | "57P03" | "25P03" => Fault::Unavailable,
        // Connection exceptions; out of connections, memory, disk.
        _ if code.starts_with("08") || code.starts_with("53") => Fault::Unavailable,
        _ => Fault::Internal,
    }
}
