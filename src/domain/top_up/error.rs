//! Why a use case about top-ups refuses.

use crate::domain::database::MayFault;
use crate::domain::fault::Fault;
use crate::domain::ledger::model::Refusal;
use crate::primitives::actor::AccessError;

/// Why a paid top-up is not recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordPaidError {
    /// Not for this caller, or there is no such account.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Not above zero, or its price would not fit.
    #[error("the amount of credits must be above 0, and its price must fit")]
    Amount,
    /// The ledger refuses.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Nobody out there can mend it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl MayFault for RecordPaidError {
    fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            Self::Access(_) | Self::Amount | Self::Refused(_) => None,
        }
    }
}
