//! Why a use case has no result: the one error type of all use cases, with their refusals as its parameter.

use std::convert::Infallible;

use crate::primitives::actor::AccessError;

/// A failure that the caller cannot fix. A retry may succeed if [`Self::passes`].
///
/// The text is only for the log: it may name tables and hosts, and never reaches a client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The database cannot be reached, or is too busy. A retry may succeed.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// Another transaction holds a lock that this one needs, for longer than it may wait. Other accounts are not affected. A
    /// retry may succeed.
    #[error("contended: {0}")]
    Contended(String),
    /// A bug, or rows that contradict each other.
    #[error("internal: {0}")]
    Internal(String),
}

impl Fault {
    /// Whether a retry may succeed.
    pub const fn passes(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::Contended(_) => true,
            Self::Internal(_) => false,
        }
    }
}

/// An input that is invalid in every state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidInput {
    /// The path in the input, its parts joined by dots: `owner.email`.
    pub field: &'static str,
    /// Human-readable explanation.
    pub message: String,
}

impl InvalidInput {
    /// Returns the error of an input field.
    pub fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self {
            field,
            message: message.into(),
        }
    }
}

/// Why a use case has no result. `R` has the reasons for which this use case alone refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UseCaseError<R> {
    /// The use case refuses in the current state. Nothing has changed.
    #[error(transparent)]
    Refused(R),
    /// See [`InvalidInput`].
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
    /// The account does not exist or belongs to another team, or the caller lacks the permission.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Internal failure; the caller cannot fix it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Declares enums of refusals: each variant with its human-readable text.
macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident {
        $(
            $(#[$variant_doc:meta])* $variant:ident
            $(($($held:ty),+))?
            $({ $($(#[$field_doc:meta])* $field:ident: $ty:ty),+ $(,)? })?
            = $text:literal,
        )*
    })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
        pub enum $name {
            $(
                $(#[$variant_doc])*
                #[error($text)]
                $variant $(($($held),+))? $({ $($(#[$field_doc])* $field: $ty),+ })?,
            )*
        }
    )*};
}
pub(in crate::domain) use refusals;

pub use UseCaseError::Refused;

/// The error of a use case without refusals of its own, such as a query.
pub type QueryError = UseCaseError<Infallible>;

impl<R> UseCaseError<R> {
    /// Converts the refusal, and leaves every other error unchanged.
    pub fn map<S>(self, convert: impl FnOnce(R) -> S) -> UseCaseError<S> {
        match self {
            Self::Refused(refusal) => UseCaseError::Refused(convert(refusal)),
            Self::Invalid(invalid) => UseCaseError::Invalid(invalid),
            Self::Access(error) => UseCaseError::Access(error),
            Self::Fault(fault) => UseCaseError::Fault(fault),
        }
    }
}

impl QueryError {
    /// Converts to the error of a use case that has refusals.
    pub fn widen<R>(self) -> UseCaseError<R> {
        self.map(|never| match never {})
    }

    /// Converts the error of a query that Ledgerbell itself makes. It has all permissions and sends valid input, so any other
    /// error than a fault means that a row has a wrong account id.
    pub fn into_fault(self) -> Fault {
        match self {
            Self::Refused(never) => match never {},
            Self::Invalid(invalid) => Fault::Internal(format!("{}: {invalid}", invalid.field)),
            Self::Access(error) => Fault::Internal(format!("a row has a wrong account id: {error}")),
            Self::Fault(fault) => fault,
        }
    }
}
