//! The port to the payment gateway, which moves the money.
//!
//! An adapter limits the time of each call and returns [`GatewayError::Unknown`] after that time. Then the call may have taken
//! effect or not. The domain finds out by reading, never by guessing. No call is made inside a transaction. Inside a request, a
//! call is made only to set up a card.
//!
//! An object is created first and confirmed later. It makes at most one successful charge, whatever requests are sent and how
//! often. This prevents double charges. The idempotency keys alone do not: a gateway forgets them after a day.

use std::future::Future;
use std::pin::Pin;

use crate::primitives::clock::Timestamp;
use crate::primitives::money::{Currency, Money};

use super::model::FailureCode;

/// The future of a call.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, GatewayError>> + Send + 'a>>;

/// Why a call returned no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    /// No response, or one without a result: a timeout, a lost connection, a busy or failing server. The call may have taken
    /// effect.
    #[error("the payment gateway did not answer: {0}")]
    Unknown(String),
    /// A final refusal without an effect.
    #[error("the payment gateway refused: {detail}")]
    Refused {
        /// The kind of refusal.
        code: FailureCode,
        /// The message of the gateway. It is for the log only.
        detail: String,
    },
    /// The object does not exist at the gateway.
    #[error("the payment gateway does not know this object")]
    NotFound,
}

/// The status of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChargeStatus {
    /// Waits for a confirmation: the first one, or another one after a failure.
    Unconfirmed,
    /// Is being charged.
    Processing,
    /// The bank requires the customer to confirm.
    RequiresAction,
    /// Charged. This status is final.
    Succeeded,
    /// Canceled. It will never be charged.
    Canceled,
}

/// The last failed attempt at charging an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeFailure {
    /// The reason.
    pub code: FailureCode,
    /// Identifies this failure among all failures of the object.
    pub mark: String,
}

crate::text_enum! {
    /// The status of a dispute. A later variant overrides an earlier one, in whatever order they arrive.
    DisputeStatus {
        /// The bank has not decided yet.
        Open = "OPEN",
        /// The money was returned to the customer.
        Lost = "LOST",
        /// The merchant keeps the money, or has received it again.
        Won = "WON",
    }
}

/// The state of an object, which is charged at most once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The gateway's id of the object.
    pub id: String,
    /// The public id of the top-up, as given at the creation of the object.
    pub reference: Option<String>,
    /// The current status.
    pub status: ChargeStatus,
    /// The amount in the currency's minor unit.
    pub amount_minor: i64,
    /// The last failed attempt.
    pub failure: Option<ChargeFailure>,
    /// The address where the customer confirms.
    pub action_url: Option<String>,
    /// The total that was returned by refunds and late failures, including refunds that failed later. It never decreases.
    pub returned_minor: i64,
    /// The part of it that did not reach the customer, because the refund failed later. It never decreases.
    pub came_back_minor: i64,
    /// The refunds that were requested with a key, if the gateway reports the key.
    pub refunds: Vec<KnownRefund>,
    /// A dispute: its status and its amount in minor units.
    pub dispute: Option<(DisputeStatus, i64)>,
    /// When the object was created.
    pub created_at: Timestamp,
}

/// A refund that the gateway made with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownRefund {
    /// The key of the request.
    pub key: String,
    /// Whether the refund failed later, so that the money is with the merchant again.
    pub has_failed: bool,
}

/// An object to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCharge {
    /// The idempotency key: the same key returns the same object.
    pub key: String,
    /// The gateway's id of the customer.
    pub customer_id: String,
    /// The gateway's id of the card.
    pub card_id: String,
    /// The price to charge.
    pub price: Money,
    /// The public id of the top-up.
    pub reference: String,
}

/// A request to charge an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    /// The gateway's id of the object.
    pub charge_id: String,
    /// The idempotency key: the same key confirms once.
    pub key: String,
    /// The gateway's id of the card to charge.
    pub card_id: String,
    /// Whether the customer is absent and cannot confirm with the bank at once.
    pub is_automatic: bool,
}

/// A card that the gateway stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// The gateway's id of the card.
    pub id: String,
    /// The card network: `visa` …
    pub brand: String,
    /// The last four digits.
    pub last4: String,
    /// The month, from 1 to 12.
    pub expiry_month: i32,
    /// The year, with four digits.
    pub expiry_year: i32,
    /// Identifies the physical card: it is equal each time the card is added.
    pub fingerprint: String,
}

/// What the gateway's browser library needs to collect a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardSetup {
    /// The secret of this setup.
    pub client_secret: String,
    /// The key that clients pass to the gateway's browser library.
    pub publishable_key: String,
}

/// The content of a webhook: an object has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The gateway's id of the event.
    pub event_id: String,
    /// The type of the event.
    pub kind: String,
    /// The object to read; `None` if the event is about no object of ours.
    pub charge_id: Option<String>,
}

/// Why a webhook is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWebhook {
    /// The signature does not match, or is too old.
    #[error("the signature does not fit, or is too old")]
    Signature,
    /// The signature matches, but the body cannot be read.
    #[error("the body cannot be read")]
    Body,
}

/// A payment gateway.
pub trait PaymentGateway: Send + Sync + 'static {
    /// Returns `stripe` or `simulated`; it is part of the key of stored objects.
    fn name(&self) -> &'static str;

    /// Returns the smallest amount that can be charged, in minor units.
    fn minimum(&self, currency: Currency) -> i64;

    /// Creates a customer. The same key returns the same customer.
    fn create_customer(&self, key: String, reference: String) -> Answer<'_, String>;

    /// Starts to collect a card in the browser.
    fn start_setup(&self, customer_id: String) -> Answer<'_, CardSetup>;

    /// Attaches a card, which the browser has sent to the gateway, to a customer.
    fn keep_card(&self, customer_id: String, token: String) -> Answer<'_, Card>;

    /// Detaches a card.
    fn forget_card(&self, card_id: String) -> Answer<'_, ()>;

    /// Creates an object without charging it.
    fn create_charge(&self, new: NewCharge) -> Answer<'_, Charge>;

    /// Charges an object and returns its state.
    fn confirm_charge(&self, confirmation: Confirmation) -> Answer<'_, Charge>;

    /// Returns the current state of an object.
    fn read_charge(&self, charge_id: String) -> Answer<'_, Charge>;

    /// Cancels an object if it is not charged yet, so that it never will be. Returns its state, which may be charged.
    fn cancel_charge(&self, charge_id: String) -> Answer<'_, Charge>;

    /// Refunds an amount, once per key. A refund can still fail later; then the state of the object shows it.
    fn refund(&self, charge_id: String, key: String, amount: Money) -> Answer<'_, ()>;

    /// Returns up to 100 objects created since then, after the named object, in the order of the gateway.
    fn list_charges(&self, since: Timestamp, after: Option<String>) -> Answer<'_, Vec<Charge>>;

    /// Verifies and reads a webhook. A stored webhook is read again with the time at which it was received as `now`.
    fn read_webhook(&self, body: &[u8], signature: &str, now: Timestamp) -> Result<Notice, InvalidWebhook>;
}
