//! The requests to a payment gateway, and its responses.

use crate::primitives::money::Money;
use crate::primitives::timestamp::Timestamp;

use super::failure::FailureCode;

/// Why a call returned no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    /// No usable response: a timeout, a lost connection, an overloaded or failed gateway. The call may have
    /// taken effect.
    #[error("the payment gateway did not answer: {0}")]
    Unknown(String),
    /// A definite refusal without effect. The text is only for the log.
    #[error("the payment gateway refused: {detail}")]
    Refused {
        /// The kind of refusal.
        code: FailureCode,
        /// The gateway's message.
        detail: String,
    },
    /// The gateway has no such object.
    #[error("the payment gateway does not know this object")]
    NotFound,
}

/// The progress of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChargeStatus {
    /// It waits for a confirmation: the first one, or another one after a failure.
    Unconfirmed,
    /// It is being charged.
    Processing,
    /// The bank requires the customer to confirm.
    RequiresAction,
    /// It is charged. This status never changes.
    Succeeded,
    /// It will never be charged.
    Canceled,
}

/// The last failed attempt at charging an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeFailure {
    /// The kind of failure.
    pub code: FailureCode,
    /// Distinguishes this failure from others of the same object.
    pub mark: String,
}

crate::text_enum! {
    /// The status of a dispute. A later status in this order replaces an earlier one, in any order of arrival.
    DisputeStatus {
        /// The bank has not decided.
        Open = "OPEN",
        /// The money was returned to the cardholder.
        Lost = "LOST",
        /// The money stays, or has come back.
        Won = "WON",
    }
}

/// The current state of an object that is charged once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The gateway's id of the object.
    pub id: String,
    /// The public id of the top-up, as given when the object was created.
    pub reference: Option<String>,
    /// The progress of the object.
    pub status: ChargeStatus,
    /// The amount in the currency's minor unit.
    pub amount_minor: i64,
    /// The last failed attempt.
    pub failure: Option<ChargeFailure>,
    /// The page on which the customer confirms.
    pub action_url: Option<String>,
    /// The total that was returned by refunds and late failures, including refunds that failed later. It never decreases.
    pub returned_minor: i64,
    /// The part of it that did not reach the customer, because the refund failed later. It never decreases.
    pub came_back_minor: i64,
    /// The refunds that were requested under a key, as far as the gateway reports the key.
    pub refunds: Vec<KnownRefund>,
    /// A dispute about the object: its status, and the disputed amount in minor units.
    pub dispute: Option<(DisputeStatus, i64)>,
    /// The time of its creation.
    pub created_at: Timestamp,
}

/// A refund that the gateway made under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownRefund {
    /// The key under which it was requested.
    pub key: String,
    /// Whether the refund failed later and the money came back.
    pub has_failed: bool,
}

/// A charge to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCharge {
    /// The same key returns the same object.
    pub key: String,
    /// The gateway's id of the customer.
    pub customer_id: String,
    /// The gateway's id of the card.
    pub card_id: String,
    /// The amount and the currency.
    pub price: Money,
    /// The public id of the top-up.
    pub reference: String,
}

/// A request to charge an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    /// The gateway's id of the object.
    pub charge_id: String,
    /// The same key confirms once.
    pub key: String,
    /// The gateway's id of the card to charge.
    pub card_id: String,
    /// Whether the customer is absent, and so cannot confirm with the bank.
    pub is_automatic: bool,
}

/// A card as the gateway stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// The gateway's id of the card.
    pub id: String,
    /// `visa` …
    pub brand: String,
    /// The last four digits.
    pub last4: String,
    /// 1 to 12.
    pub expiry_month: i32,
    /// Four digits.
    pub expiry_year: i32,
    /// The same for the same card, however often it is added.
    pub fingerprint: String,
}

/// What the gateway's browser library needs to collect a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardSetup {
    /// Valid for this setup only.
    pub client_secret: String,
    /// Identifies this merchant to the gateway's browser library.
    pub publishable_key: String,
}

/// The content of a webhook: an object has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The gateway's id of the event.
    pub event_id: String,
    /// The gateway's kind of the event.
    pub kind: String,
    /// The object to read; `None` if the event concerns no object of this service.
    pub charge_id: Option<String>,
}

/// Why a webhook is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWebhook {
    /// It is not signed with our secret, or is too old.
    #[error("the signature does not fit, or is too old")]
    Signature,
    /// It is signed, but its body cannot be parsed.
    #[error("the body cannot be read")]
    Body,
}
