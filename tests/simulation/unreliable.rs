//! A gateway behind which workers die: calls stall before or after they have had their effect, and are let go on much later, or
//! never.

use std::sync::{Arc, Mutex, PoisonError};

use ledgerbell::adapters::gateway::simulated::SimulatedGateway;
use ledgerbell::domain::top_up::gateway::{
    Answer, Card, CardSetup, Charge, Confirmation, InvalidWebhook, NewCharge, Notice, PaymentGateway,
};
use ledgerbell::primitives::clock::Timestamp;
use ledgerbell::primitives::money::{Currency, Money};
use tokio::sync::{Notify, watch};

use crate::dice::Dice;

/// The simulated gateway with workers that die while they wait for it.
pub(crate) struct Unreliable {
    inner: SimulatedGateway,
    stalls: Mutex<Stalls>,
    /// Told when a call stalls.
    pub(crate) stalled: Notify,
    release: watch::Sender<u64>,
}

struct Stalls {
    dice: Dice,
    /// In a thousand; half of them before the effect.
    chance: u64,
}

impl Unreliable {
    pub(crate) fn new(inner: SimulatedGateway, dice: Dice, chance: u64) -> Arc<Self> {
        Arc::new(Self {
            inner,
            stalls: Mutex::new(Stalls { dice, chance }),
            stalled: Notify::new(),
            release: watch::Sender::new(0),
        })
    }

    /// No call stalls any more.
    pub(crate) fn heal(&self) {
        self.stalls.lock().unwrap_or_else(PoisonError::into_inner).chance = 0;
    }

    /// All calls that have stalled go on.
    pub(crate) fn release(&self) {
        self.release.send_modify(|count| *count += 1);
    }

    fn throws_stall(&self) -> (bool, bool) {
        let mut stalls = self.stalls.lock().unwrap_or_else(PoisonError::into_inner);
        let chance = stalls.chance;
        let stalls_now = stalls.dice.below(1_000) < chance;
        (stalls_now, stalls.dice.below(2) == 0)
    }

    fn call<'a, T: Send + 'a>(&'a self, call: impl FnOnce() -> Answer<'a, T> + Send + 'a) -> Answer<'a, T> {
        let (stalls, before) = self.throws_stall();
        Box::pin(async move {
            if stalls && before {
                self.stall().await;
            }
            let answer = call().await;
            if stalls && !before {
                self.stall().await;
            }
            answer
        })
    }

    async fn stall(&self) {
        let mut released = self.release.subscribe();
        self.stalled.notify_one();
        // The sender lives as long as we do.
        let _ = released.changed().await;
    }
}

impl PaymentGateway for Unreliable {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn minimum(&self, currency: Currency) -> i64 {
        self.inner.minimum(currency)
    }

    fn create_customer(&self, key: String, reference: String) -> Answer<'_, String> {
        self.inner.create_customer(key, reference)
    }

    fn start_setup(&self, customer_id: String) -> Answer<'_, CardSetup> {
        self.inner.start_setup(customer_id)
    }

    fn keep_card(&self, customer_id: String, token: String) -> Answer<'_, Card> {
        self.inner.keep_card(customer_id, token)
    }

    fn forget_card(&self, card_id: String) -> Answer<'_, ()> {
        self.inner.forget_card(card_id)
    }

    fn create_charge(&self, new: NewCharge) -> Answer<'_, Charge> {
        self.call(|| self.inner.create_charge(new))
    }

    fn confirm_charge(&self, confirmation: Confirmation) -> Answer<'_, Charge> {
        self.call(|| self.inner.confirm_charge(confirmation))
    }

    fn read_charge(&self, charge_id: String) -> Answer<'_, Charge> {
        self.call(|| self.inner.read_charge(charge_id))
    }

    fn cancel_charge(&self, charge_id: String) -> Answer<'_, Charge> {
        self.call(|| self.inner.cancel_charge(charge_id))
    }

    fn refund(&self, charge_id: String, key: String, amount: Money) -> Answer<'_, ()> {
        self.call(move || self.inner.refund(charge_id, key, amount))
    }

    fn list_charges(&self, since: Timestamp, after: Option<String>) -> Answer<'_, Vec<Charge>> {
        self.inner.list_charges(since, after)
    }

    fn read_webhook(&self, body: &[u8], signature: &str, now: Timestamp) -> Result<Notice, InvalidWebhook> {
        self.inner.read_webhook(body, signature, now)
    }
}
