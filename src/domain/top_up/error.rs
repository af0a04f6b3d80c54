//! Refusals of the use cases about top-ups.

use crate::domain::fault::{Fault, InvalidInput, UseCaseError, refusals};
use crate::domain::ledger::model::{AccountStatus, KeyRefusal, Refusal};
use crate::primitives::credits::Credits;

use super::model::{AutoTopUp, TopUp, TopUpStatus};

refusals! {
    /// Why a paid top-up is not recorded.
    RecordPaidRefusal {
        /// The amount is not above zero, or its price overflows.
        Amount = "the number of credits must be greater than 0, and its price must not exceed the largest amount of money",
        /// The ledger refuses.
        Ledger(Refusal) = "{0}",
    }

    /// Why a top-up is not started, retried, canceled or refunded.
    TopUpRefusal {
        /// The top-up does not exist.
        NotFound = "this top-up does not exist",
        /// The member on whose behalf an API key acts does not exist.
        MemberNotFound = "this member does not exist",
        /// The member on whose behalf an API key acts was removed from the team.
        MemberRemoved = "this member was removed from the team",
        /// The card does not exist.
        CardNotFound = "this payment method does not exist",
        /// The key was used before, and the request is no replay.
        IdempotencyKey(KeyRefusal) = "{0}",
        /// The account may not start new top-ups.
        Halted {
            /// The status of the account.
            status: AccountStatus,
            /// The human-readable reason of the status.
            reason: Option<String>,
        } = "the account is frozen or closed: it accepts no new top-ups",
        /// A top-up is in progress.
        InProgress(Box<TopUp>) = "a top-up is in progress: wait for its result",
        /// The top-up is paid or canceled.
        Over(Box<TopUp>) = "this top-up has ended",
        /// The card was declined too often.
        TooManyDeclines(Option<Box<TopUp>>) = "the card was declined too often in 30 days and is not charged again: use another card",
        /// The account has no card to charge.
        CardMissing = "there is no payment method to charge: add one",
        /// The card may not be charged.
        CardSuspended = "the bank refuses this payment method permanently: use another one",
        /// The top-up can no longer be canceled.
        NotCancelable(Box<TopUp>) = "this top-up can no longer be canceled",
        /// The refund is more than what is left of the top-up.
        RefundExceeds {
            /// The credits that are left.
            left: Credits,
        } = "at most {left} credits of this top-up can still be refunded",
        /// The refund is more than what is unspent of the top-up.
        RefundExceedsUnspent {
            /// The credits that can be refunded without debt.
            unspent: Credits,
        } = "at most {unspent} credits of this top-up are unspent and available; refund no more, or send allowDebt: true to take spent credits too",
    }

    /// Why a card is not set up, added, chosen or removed.
    PaymentMethodRefusal {
        /// The card does not exist.
        NotFound = "this payment method does not exist",
        /// The account is closed.
        Closed = "the account is closed",
        /// The card is being charged.
        InUse = "this payment method is being charged: wait for the result",
        /// The account has the maximum number of cards.
        TooMany = "an account has at most 20 payment methods: remove one first",
        /// Too many cards were tried within a day, in the account or by the caller.
        TooManyTried = "too many payment methods were tried in this account within 24 hours: use an existing one, or try again tomorrow",
        /// The gateway does not accept the card.
        Refused = "the payment service does not accept this payment method",
        /// The gateway does not respond.
        GatewayUnavailable = "the payment service does not respond: try again later",
    }

    /// Why the rule is not changed.
    AutoTopUpRefusal {
        /// The rule has a different version than the caller expects.
        VersionConflict(Box<AutoTopUp>) = "it was changed since expectedVersion: read it again, then repeat the change",
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
        CardSuspended = "the bank refuses this payment method permanently: use another one",
        /// The change would allow more spending than the consent covers.
        ConsentRequired = "this change lets automatic top-ups charge more than was agreed to: a person must send consent: true",
        /// The cap is smaller than the price of one amount.
        CapTooLow = "the monthly cap must be at least the price of one amount",
    }
}

impl From<Refusal> for UseCaseError<TopUpRefusal> {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Invalid { field, message } => InvalidInput::new(field, message).into(),
            Refusal::Overflow => InvalidInput::new("credits", refusal.to_string()).into(),
            other => Fault::Internal(format!("a check of texts returned {other}")).into(),
        }
    }
}

impl TopUpRefusal {
    /// Returns a human-readable text about a status.
    pub fn words_for(status: TopUpStatus) -> &'static str {
        match status {
            TopUpStatus::Succeeded => "this top-up has succeeded already: its credits are in the balance",
            TopUpStatus::Canceled => "this top-up was canceled: start a new one",
            TopUpStatus::Reversed => "this top-up was paid and refunded: start a new one",
            TopUpStatus::Disputed => "this top-up was paid and is disputed at the bank",
            TopUpStatus::Pending | TopUpStatus::Processing => "this top-up is being charged",
            TopUpStatus::RequiresAction => "this top-up waits for the cardholder",
            TopUpStatus::Failed => "this top-up has failed",
        }
    }
}
