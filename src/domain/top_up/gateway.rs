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

pub use super::model::{
    Card, CardSetup, Charge, ChargeFailure, ChargeStatus, Confirmation, DisputeStatus, GatewayError, InvalidWebhook,
    KnownRefund, NewCharge, Notice,
};

/// The future of a call.
pub type Response<'a, T> = Pin<Box<dyn Future<Output = Result<T, GatewayError>> + Send + 'a>>;

/// Whoever moves the money.
pub trait PaymentGateway: Send + Sync + 'static {
    /// Returns `stripe` or `simulated`; it is part of the key of stored objects.
    fn name(&self) -> &'static str;

    /// Returns the smallest amount that can be charged, in minor units.
    fn minimum(&self, currency: Currency) -> i64;

    /// Creates a customer. The same key returns the same customer.
    fn create_customer(&self, key: String, reference: String) -> Response<'_, String>;

    /// Starts to collect a card in the browser.
    fn start_setup(&self, customer_id: String) -> Response<'_, CardSetup>;

    /// Attaches a card, which the browser has sent to the gateway, to a customer.
    fn keep_card(&self, customer_id: String, token: String) -> Response<'_, Card>;

    /// Detaches a card.
    fn forget_card(&self, card_id: String) -> Response<'_, ()>;

    /// Creates an object without charging it.
    fn create_charge(&self, new: NewCharge) -> Response<'_, Charge>;

    /// Charges an object and returns its state.
    fn confirm_charge(&self, confirmation: Confirmation) -> Response<'_, Charge>;

    /// Returns the current state of an object.
    fn read_charge(&self, charge_id: String) -> Response<'_, Charge>;

    /// Cancels an object if it is not charged yet, so that it never will be. Returns its state, which may be charged.
    fn cancel_charge(&self, charge_id: String) -> Response<'_, Charge>;

    /// Refunds an amount, once per key. A refund can still fail later; then the state of the object shows it.
    fn refund(&self, charge_id: String, key: String, amount: Money) -> Response<'_, ()>;

    /// Returns up to 100 objects created since then, after the named object, in the order of the gateway.
    fn list_charges(&self, since: Timestamp, after: Option<String>) -> Response<'_, Vec<Charge>>;

    /// Verifies and reads a webhook. A stored webhook is read again with the time at which it was received as `now`.
    fn read_webhook(&self, body: &[u8], signature: &str, now: Timestamp) -> Result<Notice, InvalidWebhook>;
}
