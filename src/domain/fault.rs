//! What goes wrong with nobody out there to mend it.

/// A failure that the caller cannot act upon, except by trying later.
///
/// The text is for the log alone: it may name tables and hosts, and never reaches a client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The database cannot be reached, or is too busy. Trying again later may succeed.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// Somebody else holds what this needs, for longer than it may wait: others are not concerned. Trying again later may
    /// succeed.
    #[error("contended: {0}")]
    Contended(String),
    /// A bug, or rows that contradict each other.
    #[error("internal: {0}")]
    Internal(String),
}

impl Fault {
    /// Whether trying again may succeed.
    pub const fn passes(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::Contended(_) => true,
            Self::Internal(_) => false,
        }
    }
}

/// Why a reading use case gives nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The account is not the caller's, or they may not see this.
    #[error(transparent)]
    Access(#[from] crate::primitives::actor::AccessError),
    /// An argument makes no sense.
    #[error("{field}: {message}")]
    Invalid {
        /// The argument, by its path in the contract: `filter.amount`.
        field: &'static str,
        /// For people.
        message: String,
    },
    /// Nobody out there can mend it.
    #[error(transparent)]
    Fault(#[from] Fault),
}
