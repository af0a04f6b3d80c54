//! Errors of the use cases about top-ups.

use crate::domain::database::MayFault;
use crate::domain::fault::{Fault, QueryError};
use crate::domain::ledger::model::{AccountStatus, Refusal};
use crate::primitives::actor::AccessError;
use crate::primitives::credits::Credits;

use super::model::{AutoTopUp, TopUp, TopUpStatus};

/// Declares errors of use cases, with the two variants that all of them have.
macro_rules! use_case_errors {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident $(($($held:ty),+))? $({ $($(#[$field_doc:meta])* $field:ident: $ty:ty),+ $(,)? })? = $text:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
        pub enum $name {
            /// The caller lacks the permission, or the account does not exist.
            #[error(transparent)]
            Access(#[from] AccessError),
            $($(#[$variant_doc])* #[error($text)] $variant $(($($held),+))? $({ $($(#[$field_doc])* $field: $ty),+ })?,)*
            /// Internal failure; the caller cannot fix it.
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
    /// Why a transaction of Ledgerbell itself failed.
    TurnError {}

    /// Why a paid top-up is not recorded.
    RecordPaidError {
        /// The amount is not above zero, or its price overflows.
        Amount = "the amount of credits must be above 0, and its price must fit",
        /// The ledger refuses.
        Refused(Refusal) = "{0}",
    }

    /// Why a top-up is not started, retried, canceled or refunded.
    TopUpError {
        /// The top-up does not exist.
        NotFound = "this top-up does not exist",
        /// The member on whose behalf an API key acts does not exist.
        MemberNotFound = "this member does not exist",
        /// The member on whose behalf an API key acts was removed from the team.
        MemberRemoved = "this member was removed from the team",
        /// The card does not exist.
        CardNotFound = "this payment method does not exist",
        /// The key was used before with a different input.
        IdempotencyKeyReused = "this idempotencyKey was used before with other input; use a new key for a new operation",
        /// An input is not valid.
        Invalid {
            /// The name of the input.
            field: &'static str,
            /// A human-readable explanation.
            message: String,
        } = "{message}",
        /// The account may not start new top-ups.
        Halted {
            /// The status of the account.
            status: AccountStatus,
            /// The human-readable reason of the status.
            reason: Option<String>,
        } = "nothing new is started in this account",
        /// A top-up is in progress.
        InProgress(Box<TopUp>) = "a top-up is under way: wait for what comes of it",
        /// The top-up is paid or canceled.
        Over(Box<TopUp>) = "this top-up is over",
        /// The card was declined too often.
        TooManyDeclines(Option<Box<TopUp>>) = "the card was declined so often in 30 days that it is not tried again: use another card",
        /// The account has no card to charge.
        CardMissing = "there is no payment method to charge: add one",
        /// The card may not be charged.
        CardSuspended = "the bank refused this payment method for a reason that does not pass by itself: use another one",
        /// The top-up can no longer be canceled.
        NotCancelable(Box<TopUp>) = "this top-up can no longer be canceled",
        /// The refund is more than what is left of the top-up.
        RefundExceeds {
            /// The credits that are left.
            left: Credits,
        } = "credits of this top-up that are left to give back: {left}",
        /// The refund is more than what is unspent of the top-up.
        RefundExceedsUnspent {
            /// The credits that can be refunded without debt.
            unspent: Credits,
        } = "credits of this top-up that are unspent and available: {unspent}; refund at most these, or send allowDebt: true to take credits that were spent",
    }

    /// Why a card is not set up, added, chosen or removed.
    PaymentMethodError {
        /// The card does not exist.
        NotFound = "this payment method does not exist",
        /// An input is not valid.
        Invalid {
            /// The name of the input.
            field: &'static str,
            /// A human-readable explanation.
            message: String,
        } = "{message}",
        /// The account is closed.
        Closed = "the account is closed",
        /// The card is being charged.
        InUse = "this payment method is being charged: wait for what comes of it",
        /// The account has the maximum number of cards.
        TooMany = "an account has at most 20 payment methods: take one away first",
        /// Too many cards were tried within a day, in the account or by the caller.
        TooManyTried = "too many payment methods were tried in this account within 24 hours: use one that is there, or try again \
                        tomorrow",
        /// The gateway does not accept the card.
        Refused = "the payment service does not accept this payment method",
        /// The gateway does not respond.
        GatewayUnavailable = "the payment service does not answer: try again in a while",
    }

    /// Why the rule is not changed.
    AutoTopUpError {
        /// The rule has a different version than the caller expects.
        VersionConflict(Box<AutoTopUp>) = "it was changed since the version you saw: look at it again",
        /// An input is not valid or missing.
        Invalid {
            /// The name of the input.
            field: &'static str,
            /// A human-readable explanation.
            message: String,
        } = "{message}",
        /// The member on whose behalf an API key acts does not exist.
        MemberNotFound = "this member does not exist",
        /// The member on whose behalf an API key acts was removed from the team.
        MemberRemoved = "this member was removed from the team",
        /// The account is closed.
        Closed = "the account is closed",
        /// The card does not exist.
        CardNotFound = "this payment method does not exist",
        /// The account has no card.
        CardMissing = "automatic top-ups need a payment method: add one",
        /// The card may not be charged automatically.
        CardSuspended = "the bank refused this payment method for a reason that does not pass by itself: use another one",
        /// The change would allow more spending than the consent covers.
        ConsentRequired = "this lets automatic top-ups take more than was agreed to: it needs consent: true from a person",
        /// The cap is smaller than the price of one amount.
        CapTooLow = "the monthly cap must leave room for one amount",
    }
}

impl TurnError {
    /// Converts to a fault. Ledgerbell itself has all permissions, so a missing account means a row with a wrong account id.
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

    /// Returns a human-readable text about a status.
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
