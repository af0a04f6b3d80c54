//! Which database errors are temporary.

use sea_orm::sqlx::error::{DatabaseError, Error as DriverError};
use sea_orm::{DbErr, RuntimeErr, TryGetError};

use super::trouble::{self, Trouble};
use crate::domain::fault::{Fault, UseCaseError};

/// An error of a use case that may be a [`Fault`].
pub trait MayFault: From<Fault> {
    /// Returns the fault, if the error is one.
    fn fault(&self) -> Option<&Fault>;
}

impl MayFault for Fault {
    fn fault(&self) -> Option<&Fault> {
        Some(self)
    }
}

impl<R> MayFault for UseCaseError<R> {
    fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            Self::Refused(_) | Self::Invalid(_) | Self::Access(_) => None,
        }
    }
}

/// Unavailable is an error that a retry may avoid: no connection, a lost one, a transaction that lost to another, a disk that
/// is full or broken. Contended is a lock that was not acquired in time. All others are a bug, or rows that contradict each
/// other.
impl From<DbErr> for Fault {
    fn from(error: DbErr) -> Self {
        let fault = match (&error, Trouble::of(&error)) {
            (_, Some(_)) => Self::Unavailable,
            (DbErr::Exec(RuntimeErr::SqlxError(driver)) | DbErr::Query(RuntimeErr::SqlxError(driver)), None) => {
                match driver.as_ref() {
                    DriverError::Database(error) => of_database(error.as_ref()),
                    _ => Self::Internal,
                }
            }
            _ => Self::Internal,
        };
        fault(error.to_string())
    }
}

impl From<TryGetError> for Fault {
    fn from(error: TryGetError) -> Self {
        DbErr::from(error).into()
    }
}

fn of_database(error: &dyn DatabaseError) -> fn(String) -> Fault {
    let Some(code) = error.code() else {
        return Fault::Internal;
    };
    if trouble::is_of_sqlite(error) {
        // BUSY and LOCKED, which on SQLite concern the whole database; a lost race for the lock of the
        // write-ahead log.
        let is_busy = trouble::primary_code(&code).is_some_and(|code| matches!(code, 5 | 6 | 15));
        return if is_busy { Fault::Unavailable } else { Fault::Internal };
    }
    match code.as_ref() {
        // Lock timeout.
        "55P03" => Fault::Contended,
        // Serialization failure and deadlock; statement timeout; idle in a transaction for too long.
        "40001" | "40P01" | "57014" | "25P03" => Fault::Unavailable,
        _ => Fault::Internal,
    }
}
