//! Why a use case about top-ups refuses.

use crate::domain::database::MayFault;
use crate::domain::fault::{Fault, QueryError};
use crate::domain::ledger::model::{AccountStatus, Refusal};
use crate::primitives::actor::AccessError;
use crate::primitives::credits::Credits;

use super::model::{AutoTopUp, TopUp, TopUpStatus};

/// Declares errors of use cases with the two cases that all have.
macro_rules! use_case_errors {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident $(($($held:ty),+))? $({ $($(#[$field_doc:meta])* $field:ident: $ty:ty),+ $(,)? })? = $text:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
        pub enum $name {
            /// Not for this caller, or there is no such account.
            #[error(transparent)]
            Access(#[from] AccessError),
            $($(#[$variant_doc])* #[error($text)] $variant $(($($held),+))? $({ $($(#[$field_doc])* $field: $ty),+ })?,)*
            /// Nobody out there can mend it.
            #[error(transparent)]
            Fault(#[from] Fault),
        }

        impl MayFault for $name {
            fn fault(&self) -> Option<&Fault> {
                match self {
                    Self::Fault(fault) => Some(fault),
                    _ => None,
                }
            }
        }
    )*};
}

use_case_errors! {
    /// Why a turn of Ledgerbell's own came to nothing.
    TurnError {}

    /// Why a paid top-up is not recorded.
    RecordPaidError {
        /// Not above zero, or its price would not fit.
        Amount = "the amount of credits must be above 0, and its price must fit",
        /// The ledger refuses.
        Refused(Refusal) = "{0}",
    }

    /// Why a top-up is not started, tried again, canceled or given back.
    TopUpError {
        /// There is no such top-up.
        NotFound = "this top-up does not exist",
        /// The member on whose behalf a key acts does not exist.
        MemberNotFound = "this member does not exist",
        /// The member on whose behalf a key acts left the team.
        MemberRemoved = "this member was removed from the team",
        /// There is no such card.
        CardNotFound = "this payment method does not exist",
        /// The key is bound to another input.
        IdempotencyKeyReused = "this idempotencyKey was used before with other input; use a new key for a new operation",
        /// An input is wrong.
        Invalid {
            /// Which.
            field: &'static str,
            /// For people.
            message: String,
        } = "{message}",
        /// Nothing new is started in this account.
        Halted {
            /// What it may do.
            standing: AccountStatus,
            /// Why, in words for people.
            reason: Option<String>,
        } = "nothing new is started in this account",
        /// A top-up is under way.
        InProgress(Box<TopUp>) = "a top-up is under way: wait for what comes of it",
        /// It is paid, or called off.
        Over(Box<TopUp>) = "this top-up is over",
        /// The card was declined too often.
        TooManyDeclines(Option<Box<TopUp>>) = "the card was declined so often in 30 days that it is not tried again: use another card",
        /// There is no card to charge.
        CardMissing = "there is no payment method to charge: add one",
        /// The card may not be charged.
        CardSuspended = "the bank refused this payment method for a reason that does not pass by itself: use another one",
        /// It cannot be canceled any more.
        NotCancelable(Box<TopUp>) = "this top-up can no longer be canceled",
        /// More than is left of it.
        RefundExceeds {
            /// What is left.
            left: Credits,
        } = "only {left} credits of this top-up are left to give back",
        /// More than is unspent of it.
        RefundExceedsUnspent {
            /// What may be refunded without debt.
            unspent: Credits,
        } = "{unspent} of this top-up's credits are unspent and available; refund at most these, or send allowDebt: true to take credits that were spent",
    }

    /// Why a card is not set up, kept, chosen or taken away.
    PaymentMethodError {
        /// There is no such card.
        NotFound = "this payment method does not exist",
        /// An input is wrong.
        Invalid {
            /// Which.
            field: &'static str,
            /// For people.
            message: String,
        } = "{message}",
        /// Nothing new is started in this account.
        Closed = "the account is closed",
        /// It is being charged.
        InUse = "this payment method is being charged: wait for what comes of it",
        /// The account has as many as it may have.
        TooMany = "an account has at most 20 payment methods: take one away first",
        /// Too many cards were tried within a day, in the account or by the caller.
        TooManyTried = "too many payment methods were tried in this account within 24 hours: use one that is there, or try again \
                        tomorrow",
        /// The gateway does not take it.
        Refused = "the payment service does not accept this payment method",
        /// The gateway does not answer.
        GatewayUnavailable = "the payment service does not answer: try again in a while",
    }

    /// Why the rule is not changed.
    AutoTopUpError {
        /// It has another version.
        VersionConflict(Box<AutoTopUp>) = "it was changed since the version you saw: look at it again",
        /// An input is wrong or missing.
        Invalid {
            /// Which.
            field: &'static str,
            /// For people.
            message: String,
        } = "{message}",
        /// The member on whose behalf a key acts does not exist.
        MemberNotFound = "this member does not exist",
        /// The member on whose behalf a key acts left the team.
        MemberRemoved = "this member was removed from the team",
        /// The account is closed.
        Closed = "the account is closed",
        /// There is no such card.
        CardNotFound = "this payment method does not exist",
        /// There is no card.
        CardMissing = "automatic top-ups need a payment method: add one",
        /// The card may not be charged by itself.
        CardSuspended = "the bank refused this payment method for a reason that does not pass by itself: use another one",
        /// It would take more than was agreed to.
        ConsentRequired = "this lets automatic top-ups take more than was agreed to: it needs consent: true from a person",
        /// The cap does not hold one amount.
        CapTooLow = "the monthly cap must leave room for one amount",
    }
}

impl TurnError {
    /// Ledgerbell itself may do everything, so that an account that is missing is a row that names it wrongly.
    pub(super) fn into_fault(self) -> Fault {
        match self {
            Self::Access(error) => Fault::Internal(format!("a row names an account wrongly: {error}")),
            Self::Fault(fault) => fault,
        }
    }
}

impl From<Refusal> for TopUpError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Invalid { field, message } => Self::Invalid { field, message },
            Refusal::Overflow => Self::Invalid {
                field: "credits",
                message: refusal.to_string(),
            },
            other => Self::Fault(Fault::Internal(format!("a check of texts said {other}"))),
        }
    }
}

impl From<QueryError> for TopUpError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Access(error) => error.into(),
            QueryError::Invalid { field, message } => Self::Invalid { field, message },
            QueryError::Fault(fault) => fault.into(),
        }
    }
}

impl TopUpError {
    pub(super) fn over(top_up: TopUp) -> Self {
        Self::Over(Box::new(top_up))
    }

    /// In words for people, about the status that it is in.
    pub fn words_for(status: TopUpStatus) -> &'static str {
        match status {
            TopUpStatus::Succeeded => "this top-up has succeeded already: its credits are in the balance",
            TopUpStatus::Canceled => "this top-up was canceled: start a new one",
            TopUpStatus::Reversed => "this top-up was paid and given back: start a new one",
            TopUpStatus::Disputed => "this top-up was paid and is disputed at the bank",
            TopUpStatus::Pending | TopUpStatus::Processing => "this top-up is being charged",
            TopUpStatus::RequiresAction => "this top-up waits for the cardholder",
            TopUpStatus::Failed => "this top-up has failed",
        }
    }
}
