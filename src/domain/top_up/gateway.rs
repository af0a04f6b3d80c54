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

pub use super::model::{
    Card, CardSetup, Charge, ChargeFailure, ChargeStatus, Confirmation, DisputeStatus, GatewayError, InvalidWebhook,
    KnownRefund, NewCharge, Notice,
};

/// What a call comes to.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, GatewayError>> + Send + 'a>>;

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
