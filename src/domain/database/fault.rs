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

/// Unavailable is what may go better next time: no connection, a lost one, a lock not got in time, a transaction that lost to
/// another. The rest is a bug or a broken database.
impl From<DbErr> for Fault {
    fn from(error: DbErr) -> Self {
        let passes = match &error {
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
            DbErr::Exec(RuntimeErr::SqlxError(driver)) | DbErr::Query(RuntimeErr::SqlxError(driver)) => {
                driver_error_passes(driver)
            }
            _ => false,
        };
        let message = error.to_string();
        if passes {
            Self::Unavailable(message)
        } else {
            Self::Internal(message)
        }
    }
}

fn driver_error_passes(error: &DriverError) -> bool {
    match error {
        DriverError::Database(error) => error.code().is_some_and(|code| code_passes(error.as_ref(), &code)),
        DriverError::Io(_)
        | DriverError::Tls(_)
        | DriverError::Protocol(_)
        | DriverError::PoolTimedOut
        | DriverError::PoolClosed
        | DriverError::WorkerCrashed => true,
        _ => false,
    }
}

fn code_passes(error: &dyn DatabaseError, code: &str) -> bool {
    if error.try_downcast_ref::<sea_orm::sqlx::sqlite::SqliteError>().is_some() {
        // The low byte is the primary code: BUSY and LOCKED.
        return code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6));
    }
    // Connection exceptions; serialization failure and deadlock; lock timeout; statement timeout; out of connections, memory,
    // disk; the server shuts down, crashed or starts up; idle in a transaction for too long.
    code.starts_with("08")
        || code.starts_with("53")
        || matches!(
            code,
            "40001" | "40P01" | "55P03" | "57014" | "57P01" | "57P02" | "57P03" | "25P03"
        )
}
