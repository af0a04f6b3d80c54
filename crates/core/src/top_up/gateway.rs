//! What is said to a payment gateway, and by it.

use crate::primitives::money::Money;
use crate::primitives::timestamp::Timestamp;

use super::failure::FailureCode;

/// Why a call gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    /// No answer, or one that says nothing: a timeout, a lost connection, busy, broken. It may have happened.
    #[error("the payment gateway did not answer: {0}")]
    Unknown(String),
    /// A definite no that had no effect. The text is for the log alone.
    #[error("the payment gateway refused: {detail}")]
    Refused {
        /// What kind of no.
        code: FailureCode,
        /// What it said.
        detail: String,
    },
    /// It does not know such an object.
    #[error("the payment gateway does not know this object")]
    NotFound,
}

/// How far an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChargeStatus {
    /// Waits for a confirmation: the first one, or another one after a failure.
    Unconfirmed,
    /// Being charged.
    Processing,
    /// The bank wants its customer to confirm.
    RequiresAction,
    /// Charged. Never anything else again.
    Succeeded,
    /// Will never be charged.
    Canceled,
}

/// The last failed try at charging an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeFailure {
    /// Why.
    pub code: FailureCode,
    /// Tells this failure from the object's other ones.
    pub mark: String,
}

crate::text_enum! {
    /// How a dispute stands. Later ones in this order win over earlier ones, in whatever order they are heard of.
    DisputeStatus {
        /// The bank decides.
        Open = "OPEN",
        /// The money went back.
        Lost = "LOST",
        /// The money stays, or has come back.
        Won = "WON",
    }
}

/// An object that is charged once, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// What the gateway calls it.
    pub id: String,
    /// The public id of the top-up that it was made for, as told when it was made.
    pub reference: Option<String>,
    /// How far it is.
    pub status: ChargeStatus,
    /// In the currency's minor unit.
    pub amount_minor: i64,
    /// The last failed try.
    pub failure: Option<ChargeFailure>,
    /// Where the customer confirms.
    pub action_url: Option<String>,
    /// What went back by refunds and late failures, in all: also refunds that failed later. Never less than it was before.
    pub returned_minor: i64,
    /// What of that did not reach the customer after all, because the refund failed later. Never less than it was before.
    pub came_back_minor: i64,
    /// Those refunds among them that were asked for under a key, as far as the gateway names the key.
    pub refunds: Vec<KnownRefund>,
    /// A dispute about it: how it stands, and about how much.
    pub dispute: Option<(DisputeStatus, i64)>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A refund that the gateway made under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownRefund {
    /// The key under which it was asked for.
    pub key: String,
    /// The money came back, because the refund failed later.
    pub has_failed: bool,
}

/// What is to be charged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCharge {
    /// The same object comes back for the same key.
    pub key: String,
    /// The customer as the gateway knows them.
    pub customer_id: String,
    /// The card as the gateway knows it.
    pub card_id: String,
    /// How much.
    pub price: Money,
    /// The public id of the top-up.
    pub reference: String,
}

/// A confirmation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    /// Which object.
    pub charge_id: String,
    /// Confirms once for the same key.
    pub key: String,
    /// The card to charge.
    pub card_id: String,
    /// Nobody is there who could confirm with the bank at once.
    pub is_automatic: bool,
}

/// A card as the gateway keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// What the gateway calls it.
    pub id: String,
    /// `visa` …
    pub brand: String,
    /// The last four digits.
    pub last4: String,
    /// 1 to 12.
    pub expiry_month: i32,
    /// Four digits.
    pub expiry_year: i32,
    /// The same for the same card however often it is added.
    pub fingerprint: String,
}

/// What the gateway's browser library needs to collect a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardSetup {
    /// For this one setup.
    pub client_secret: String,
    /// Names us to the gateway's browser library.
    pub publishable_key: String,
}

/// What a webhook says: that something of an object has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The gateway's id of the event.
    pub event_id: String,
    /// What kind of event.
    pub kind: String,
    /// The object to read; `None` when the event concerns nothing of ours.
    pub charge_id: Option<String>,
}

/// Why a webhook is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWebhook {
    /// Not signed with our secret, or too long ago.
    #[error("the signature does not fit, or is too old")]
    Signature,
    /// Signed, but nothing that we can read.
    #[error("the body cannot be read")]
    Body,
}
