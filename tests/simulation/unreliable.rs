//! A gateway whose workers die: calls stall before or after their effect, and continue much later or never. Reads may return an
//! old state, as from a replica that lags.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ledgerbell::adapters::gateway::simulated::SimulatedGateway;
use ledgerbell::domain::top_up::gateway::{
    Card, CardSetup, Charge, Confirmation, InvalidWebhook, NewCharge, Notice, PaymentGateway, Response,
};
use ledgerbell::primitives::clock::Timestamp;
use ledgerbell::primitives::money::{Currency, Money};
use tokio::sync::{Notify, oneshot};

use crate::dice::Dice;

/// The simulated gateway with workers that die while they wait for it.
pub(crate) struct Unreliable {
    inner: SimulatedGateway,
    mischief: Mutex<Mischief>,
    /// Notified when a call stalls. The receiver takes the [`Stall`].
    pub(crate) stalled: Notify,
}

/// Resumes a stalled call.
pub(crate) type Stall = oneshot::Sender<()>;

struct Mischief {
    dice: Dice,
    /// The number of calls per thousand that stall; half of them before the effect.
    stalls: u64,
    /// The number of reads per thousand that return an old state.
    stale: u64,
    /// All states of an object that were ever returned, oldest first.
    said: HashMap<String, Vec<Charge>>,
    stall: Option<Stall>,
}

impl Mischief {
    fn throws(&mut self, chance: u64) -> bool {
        self.dice.below(1_000) < chance
    }

    fn note(&mut self, charge: &Charge) {
        let said = self.said.entry(charge.id.clone()).or_default();
        if said.last() != Some(charge) {
            said.push(charge.clone());
        }
    }

    /// Returns the current or an old state of the object.
    fn as_read(&mut self, charge: Charge) -> Charge {
        self.note(&charge);
        if !self.throws(self.stale) {
            return charge;
        }
        let said = self.said.get(&charge.id).map_or(&[][..], Vec::as_slice);
        self.dice.one_of(said).cloned().unwrap_or(charge)
    }
}

impl Unreliable {
    pub(crate) fn new(inner: SimulatedGateway, mut dice: Dice) -> Arc<Self> {
        let stalls = 20 * dice.below(12);
        let stale = 50 * dice.below(6);
        let mischief = Mischief {
            dice,
            stalls,
            stale,
            said: HashMap::new(),
            stall: None,
        };
        Arc::new(Self {
            inner,
            mischief: Mutex::new(mischief),
            stalled: Notify::new(),
        })
    }

    fn mischief(&self) -> MutexGuard<'_, Mischief> {
        self.mischief.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on no call stalls, and reads return the current state.
    pub(crate) fn heal(&self) {
        let mut mischief = self.mischief();
        (mischief.stalls, mischief.stale) = (0, 0);
    }

    /// Returns the call that has just stalled.
    pub(crate) fn take_stall(&self) -> Option<Stall> {
        self.mischief().stall.take()
    }

    fn call<'a, T: Send + 'a>(
        &'a self,
        call: impl FnOnce() -> Response<'a, T> + Send + 'a,
        heard: impl FnOnce(&mut Mischief, T) -> T + Send + 'a,
    ) -> Response<'a, T> {
        let (stalls, before) = {
            let mut mischief = self.mischief();
            let chance = mischief.stalls;
            (mischief.throws(chance), mischief.dice.below(2) == 0)
        };
        Box::pin(async move {
            if stalls && before {
                self.stall().await;
            }
            let answer = call().await;
            let answer = answer.map(|answer| heard(&mut self.mischief(), answer));
            if stalls && !before {
                self.stall().await;
            }
            answer
        })
    }

    async fn stall(&self) {
        let (stall, go_on) = oneshot::channel();
        self.mischief().stall = Some(stall);
        self.stalled.notify_one();
        // The sender may be dropped without a message: then the worker is discarded.
        let _ = go_on.await;
    }
}

fn noted(mischief: &mut Mischief, charge: Charge) -> Charge {
    mischief.note(&charge);
    charge
}

impl PaymentGateway for Unreliable {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn minimum(&self, currency: Currency) -> i64 {
        self.inner.minimum(currency)
    }

    fn create_customer(&self, key: String, reference: String) -> Response<'_, String> {
        self.inner.create_customer(key, reference)
    }

    fn start_setup(&self, customer_id: String) -> Response<'_, CardSetup> {
        self.inner.start_setup(customer_id)
    }

    fn keep_card(&self, customer_id: String, token: String) -> Response<'_, Card> {
        self.inner.keep_card(customer_id, token)
    }

    fn forget_card(&self, card_id: String) -> Response<'_, ()> {
        self.inner.forget_card(card_id)
    }

    fn create_charge(&self, new: NewCharge) -> Response<'_, Charge> {
        self.call(|| self.inner.create_charge(new), noted)
    }

    fn confirm_charge(&self, confirmation: Confirmation) -> Response<'_, Charge> {
        self.call(|| self.inner.confirm_charge(confirmation), noted)
    }

    fn read_charge(&self, charge_id: String) -> Response<'_, Charge> {
        self.call(|| self.inner.read_charge(charge_id), Mischief::as_read)
    }

    fn cancel_charge(&self, charge_id: String) -> Response<'_, Charge> {
        self.call(|| self.inner.cancel_charge(charge_id), noted)
    }

    fn refund(&self, charge_id: String, key: String, amount: Money) -> Response<'_, ()> {
        self.call(move || self.inner.refund(charge_id, key, amount), |_, answer| answer)
    }

    fn list_charges(&self, since: Timestamp, after: Option<String>) -> Response<'_, Vec<Charge>> {
        self.call(
            move || self.inner.list_charges(since, after),
            |mischief, charges| charges.into_iter().map(|charge| mischief.as_read(charge)).collect(),
        )
    }

    fn read_webhook(&self, body: &[u8], signature: &str, now: Timestamp) -> Result<Notice, InvalidWebhook> {
        self.inner.read_webhook(body, signature, now)
    }
}
