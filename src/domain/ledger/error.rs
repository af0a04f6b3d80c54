//! Why a ledger use case does not do what it was asked.

use crate::domain::fault::Fault;
use crate::primitives::actor::AccessError;

use super::model::Refusal;

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The core says no; nothing has changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The account is not the caller's, or they may not do this.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Too much waits for this account already.
    #[error("too many commands wait for this account; try again in {retry_after_seconds} s")]
    Busy {
        /// When trying again makes sense.
        retry_after_seconds: u32,
    },
    /// Nobody out there can mend it. Whether the command took effect shows by asking again with the same key.
    #[error(transparent)]
    Fault(#[from] Fault),
}
