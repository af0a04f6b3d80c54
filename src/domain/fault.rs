//! Failures that the caller cannot fix.

/// A failure that the caller cannot fix. A retry may succeed.
///
/// The text is only for the log: it may name tables and hosts, and never reaches a client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The database cannot be reached, or is too busy. A retry may succeed.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// Another process holds a lock for longer than this may wait. Other rows are not affected. A retry may succeed.
    #[error("contended: {0}")]
    Contended(String),
    /// A bug, or rows that contradict each other.
    #[error("internal: {0}")]
    Internal(String),
}

impl Fault {
    /// Returns whether a retry may succeed.
    pub const fn passes(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::Contended(_) => true,
            Self::Internal(_) => false,
        }
    }
}

/// Why a query returns nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The account does not belong to the caller, or the caller may not see this.
    #[error(transparent)]
    Access(#[from] crate::primitives::actor::AccessError),
    /// An argument is not valid.
    #[error("{field}: {message}")]
    Invalid {
        /// The path of the argument in the contract: `filter.amount`.
        field: &'static str,
        /// A human-readable explanation.
        message: String,
    },
    /// Internal failure; the caller cannot fix it.
    #[error(transparent)]
    Fault(#[from] Fault),
}
