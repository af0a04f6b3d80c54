//! The port to whoever moves the money.
//!
//! An adapter bounds each call in time and says [`GatewayError::Unknown`] when it is up: then the call may have had its effect
//! or not, which is found out by reading, never by guessing. No call is made inside a transaction, and none inside a request
//! but to set up a card.
//!
//! An object that is to be charged is made first and confirmed later. It makes at most one successful charge, whatever is
//! sent to it and how often; that, and not the keys, which a gateway forgets after a day, is why nobody pays twice.

use std::future::Future;
use std::pin::Pin;

use crate::primitives::clock::Timestamp;
use crate::primitives::money::{Currency, Money};

use super::model::FailureCode;

pub use super::model::{Charge, ChargeFailure, ChargeStatus, DisputeStatus, KnownRefund};

/// What a call comes to.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, GatewayError>> + Send + 'a>>;

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

/// Whoever moves the money.
pub trait PaymentGateway: Send + Sync + 'static {
    /// `stripe`, `simulated`: part of the key of stored objects.
    fn name(&self) -> &'static str;

    /// The least that it charges, in the minor unit.
    fn minimum(&self, currency: Currency) -> i64;

    /// Makes a customer; the same for the same key.
    fn create_customer(&self, key: String, reference: String) -> Answer<'_, String>;

    /// Begins to collect a card in the browser.
    fn start_setup(&self, customer_id: String) -> Answer<'_, CardSetup>;

    /// Keeps a card, which the browser has handed to the gateway, for a customer.
    fn keep_card(&self, customer_id: String, token: String) -> Answer<'_, Card>;

    /// Forgets a card.
    fn forget_card(&self, card_id: String) -> Answer<'_, ()>;

    /// Makes an object without charging it.
    fn create_charge(&self, new: NewCharge) -> Answer<'_, Charge>;

    /// Charges it, and says what came of it.
    fn confirm_charge(&self, confirmation: Confirmation) -> Answer<'_, Charge>;

    /// Says what has become of it.
    fn read_charge(&self, charge_id: String) -> Answer<'_, Charge>;

    /// Sees to it that it will never be charged; gives it as it is, which may be charged.
    fn cancel_charge(&self, charge_id: String) -> Answer<'_, Charge>;

    /// Gives money back, once for the same key. It may still fail later, which the object says then.
    fn refund(&self, charge_id: String, key: String, amount: Money) -> Answer<'_, ()>;

    /// Objects made since then, up to a hundred after the one named, in the gateway's own order.
    fn list_charges(&self, since: Timestamp, after: Option<String>) -> Answer<'_, Vec<Charge>>;

    /// Believes a webhook or not. A stored one is read again with `now` as it was received.
    fn read_webhook(&self, body: &[u8], signature: &str, now: Timestamp) -> Result<Notice, InvalidWebhook>;
}
