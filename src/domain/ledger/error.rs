//! Errors of the ledger's use cases.

use crate::domain::fault::Fault;
use crate::primitives::actor::AccessError;

use super::model::Refusal;

/// Why a command was not executed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The core refused the command. Nothing has changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The account is not the caller's, or the caller lacks the permission.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Too many commands wait for this account.
    #[error("too many commands wait for this account; try again in {retry_after_seconds} s")]
    Busy {
        /// After how many seconds a retry is reasonable.
        retry_after_seconds: u32,
    },
    /// Internal failure; the caller cannot fix it. A retry with the same key shows whether the command took
    /// effect.
    #[error(transparent)]
    Fault(#[from] Fault),
}
