//! A simulated payment gateway: stateful, embedded and unreliable on request. It moves no money.
//!
//! The token of a card decides how the card behaves (`card_ok`, `card_insufficient_funds`, `card_authenticate` …). Calls and
//! messages can be lost, duplicated, reordered and delayed. The same seed produces the same faults. The state is in memory, and
//! optionally also in a file.
//!
//! The product calls it through the port, like any other gateway. Tests call further methods in the role of the customer, the
//! bank or the operator. Over HTTP it offers Stripe's API (`dialect`), and it sends its messages to an address (`delivery`).

mod cards;
mod chaos;
mod delivery;
mod dialect;
mod intent;
mod objects;
mod page;
mod router;
mod state;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ledgerbell_core::primitives::signature;
use ledgerbell_core::primitives::timestamp::Timestamp;
use ledgerbell_core::top_up::{
    Card, CardSetup, Charge, ChargeStatus, Confirmation, DisputeStatus, FailureCode, GatewayError, NewCharge,
};

use chaos::{Dice, Trouble};
use intent::Dispute;
use state::{ConfirmWith, Confirmed, Customer, Refunded, State};

pub use chaos::Chaos;
pub use delivery::WebhookSender;
pub use page::payment_page;
pub use router::router;

/// The minimum amount of a charge, in minor units.
pub const MINIMUM: i64 = 50;
/// The number of objects per page of a list.
const PAGE: usize = 100;
/// The key that signs its messages. It is public: a forged message of a simulator does no harm.
pub const WEBHOOK_SECRET: &str = "whsec_simulated";
/// The publishable key that browsers send.
pub const PUBLISHABLE_KEY: &str = "pk_simulated";

/// A message to deliver: its body and its signature.
pub type Message = (Vec<u8>, String);

/// Provides the simulator's time.
pub trait TimeSource: Send + Sync + 'static {
    /// Returns the current time.
    fn now(&self) -> Timestamp;
}

/// Stores the state, so that it survives a restart of the process.
type Keep = Arc<dyn Fn(&[u8]) -> io::Result<()> + Send + Sync>;

/// A payment gateway that moves no money. Clones share its state.
#[derive(Clone)]
pub struct SimulatedGateway {
    time: Arc<dyn TimeSource>,
    shared: Arc<Mutex<Shared>>,
    keep: Option<Keep>,
    page: Arc<Mutex<String>>,
}

struct Shared {
    state: State,
    chaos: Option<(Chaos, Dice)>,
    /// Messages whose delivery is delayed.
    late: Vec<(Timestamp, state::Event)>,
}

/// A charge as the gateway sees it, for checks in tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargedObject {
    /// The id of the object at the gateway.
    pub id: String,
    /// The top-up that the charge was created for.
    pub reference: String,
    /// The current status.
    pub status: ChargeStatus,
    /// The number of successful charges.
    pub charges: u32,
    /// The amount of one charge, in minor units.
    pub amount_minor: i64,
    /// The amount that was returned by refunds and late failures.
    pub returned_minor: i64,
    /// The part of it that was returned because the payment failed late.
    pub failed_late_minor: i64,
    /// The part of it whose refund failed later.
    pub came_back_minor: i64,
    /// The status of a dispute about the charge, if there is one.
    pub dispute: Option<DisputeStatus>,
}

impl SimulatedGateway {
    /// Creates a gateway without any objects.
    pub fn new(time: impl TimeSource) -> Self {
        Self {
            time: Arc::new(time),
            shared: Arc::new(Mutex::new(Shared {
                state: State::default(),
                chaos: None,
                late: Vec::new(),
            })),
            keep: None,
            page: Arc::default(),
        }
    }

    /// Creates a gateway that continues from `state`, if given. `keep` stores the state after each change.
    pub fn open(
        time: impl TimeSource,
        kept: Option<&[u8]>,
        keep: impl Fn(&[u8]) -> io::Result<()> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let gateway = Self::new(time);
        if let Some(kept) = kept {
            gateway.shared().state = serde_json::from_slice(kept)?;
        }
        Ok(Self {
            keep: Some(Arc::new(keep)),
            ..gateway
        })
    }

    /// Sets the base address of the pages on which customers confirm with their bank.
    pub fn send_customers_to(&self, base_url: &str) {
        let page = format!("{base_url}/simulated-gateway/authenticate");
        *self.page.lock().unwrap_or_else(PoisonError::into_inner) = page;
    }

    fn page(&self) -> String {
        self.page.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Starts faults from a seed; the same seed gives the same faults. `None` ends them.
    pub fn make_trouble(&self, seed: u64, chaos: Option<Chaos>) {
        self.shared().chaos = chaos.map(|chaos| (chaos, Dice::new(seed)));
    }

    /// Ends the outage behind cards that hang or are unavailable: they pay from now on.
    pub fn end_outage(&self) {
        self.change(|state, _| state.mend_cards());
    }

    /// Checks the token of the page of a payment.
    pub fn is_page_of(&self, charge_id: &str, token: &str) -> bool {
        let shared = self.shared();
        let intent = shared.state.intents.get(charge_id);
        intent.is_some_and(|intent| intent.has_page(token))
    }

    /// The customer confirms with the bank, or refuses. Returns whether the payment was waiting for a confirmation.
    pub fn authenticate(&self, charge_id: &str, confirms: bool) -> bool {
        self.change(|state, now| state.authenticate(charge_id, confirms, now))
    }

    /// The customer pays with another card on a payment page that is still open. Returns whether that was possible.
    pub fn pay_on_page(&self, charge_id: &str) -> bool {
        self.change(|state, now| state.pay_on_page(charge_id, now))
    }

    /// The operator refunds a charge directly at the gateway.
    pub fn refund_directly(&self, charge_id: &str, amount_minor: i64) -> bool {
        self.change(|state, now| {
            let key = state.next_id("key");
            let refunded = state.refund(charge_id, &key, amount_minor, now);
            matches!(refunded, Some(Refunded::Made(_)))
        })
    }

    /// The customer's bank rejects the last refund of a charge. Returns whether there was a refund.
    pub fn fail_refund(&self, charge_id: &str) -> bool {
        self.change(|state, now| {
            let intent = state.intents.get(charge_id);
            let last = intent.and_then(|intent| intent.refunds.iter().rfind(|refund| !refund.has_failed));
            let last = last.map(|refund| refund.id.clone());
            last.is_some_and(|refund_id| state.fail_refund(charge_id, &refund_id, now))
        })
    }

    /// The customer disputes a charge.
    pub fn open_dispute(&self, charge_id: &str) -> bool {
        self.change(|state, now| state.dispute(charge_id, Dispute::Open, now))
    }

    /// The bank decides a dispute.
    pub fn close_dispute(&self, charge_id: &str, is_won: bool) -> bool {
        let outcome = if is_won { Dispute::Won } else { Dispute::Lost };
        self.change(|state, now| state.dispute(charge_id, outcome, now))
    }

    /// Returns all charges in the order of creation.
    pub fn objects(&self) -> Vec<ChargedObject> {
        let intents = self.change(|state, _| state.intents.clone());
        intents
            .into_values()
            .map(|intent| ChargedObject {
                dispute: intent.dispute_status(),
                status: intent.status.shown(),
                id: intent.id.clone(),
                reference: intent.reference.clone().unwrap_or_default(),
                charges: intent.charges,
                amount_minor: intent.amount_minor,
                returned_minor: intent.returned_minor().0,
                failed_late_minor: intent.failed_late_minor(),
                came_back_minor: intent.returned_minor().1,
            })
            .collect()
    }

    /// Returns the messages to deliver now. With faults, some are lost, duplicated, delayed or reordered.
    pub fn take_messages(&self) -> Vec<Message> {
        let now = self.time.now();
        let mut shared = self.shared();
        shared.state.tick(now);
        let events = std::mem::take(&mut shared.state.outbox);
        let due = shared.deal_out(events, now);
        drop(shared);
        self.save();
        due.into_iter()
            .map(|event| {
                let body = event.body.into_bytes();
                let signature = signature::sign(WEBHOOK_SECRET, &body, now);
                (body, signature)
            })
            .collect()
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State, Timestamp) -> T) -> T {
        let now = self.time.now();
        let mut shared = self.shared();
        shared.state.tick(now);
        let done = change(&mut shared.state, now);
        drop(shared);
        self.save();
        done
    }

    fn save(&self) {
        let Some(keep) = &self.keep else { return };
        let shared = self.shared();
        let written = serde_json::to_vec(&shared.state).map_err(io::Error::from);
        if let Err(error) = written.and_then(|state| keep(&state)) {
            tracing::warn!(%error, "the simulated gateway could not write down its state");
        }
    }

    /// Runs a call, with the fault that the seed selects for it.
    fn call<T>(&self, call: impl FnOnce(&mut State, Timestamp) -> Result<T, GatewayError>) -> Result<T, GatewayError> {
        let trouble = self.shared().trouble();
        match trouble {
            Some(Trouble::LostBefore) => Err(GatewayError::Unknown("the request was lost".to_owned())),
            Some(Trouble::LostAfter) => {
                let _ = self.change(call);
                Err(GatewayError::Unknown("the answer was lost".to_owned()))
            }
            None => self.change(call),
        }
    }
}

impl std::fmt::Debug for SimulatedGateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimulatedGateway").finish_non_exhaustive()
    }
}

fn charge_of(state: &State, id: &str, page: &str) -> Result<Charge, GatewayError> {
    let intent = state.intents.get(id).ok_or(GatewayError::NotFound)?;
    Ok(intent.charge(page))
}

fn refused(code: FailureCode, detail: &str) -> GatewayError {
    GatewayError::Refused {
        code,
        detail: detail.to_owned(),
    }
}

/// The gateway as a library.
impl SimulatedGateway {
    /// Creates a customer, once per key.
    pub fn make_customer(&self, key: &str) -> Result<String, GatewayError> {
        self.call(|state, now| {
            let customer = Customer {
                created_at: now.millis(),
                ..Customer::default()
            };
            Ok(state.customer(key, customer))
        })
    }

    /// Starts the setup of a card.
    pub fn begin_setup(&self) -> Result<CardSetup, GatewayError> {
        self.call(|state, _| {
            Ok(CardSetup {
                client_secret: format!("{}_secret_simulated", state.next_id("seti")),
                publishable_key: PUBLISHABLE_KEY.to_owned(),
            })
        })
    }

    /// Attaches the card of this name to a customer.
    pub fn attach_card(&self, customer_id: &str, token: &str) -> Result<Card, GatewayError> {
        self.call(|state, _| {
            let card = state.keep_card(customer_id, token);
            card.ok_or_else(|| refused(FailureCode::PaymentMethodMissing, "no such payment method"))
        })
    }

    /// Detaches a card. Its charges remain; it only cannot be charged again.
    pub fn detach_card(&self, card_id: &str) -> Result<(), GatewayError> {
        self.call(|state, _| {
            state.cards.remove(card_id);
            Ok(())
        })
    }

    /// Creates a charge object without charging it.
    pub fn make_charge(&self, new: &NewCharge) -> Result<Charge, GatewayError> {
        let page = self.page();
        self.call(|state, now| {
            if new.price.minor < MINIMUM {
                return Err(refused(FailureCode::AmountInvalid, "amount_too_small"));
            }
            if new.price.minor % new.price.currency.step() != 0 {
                return Err(refused(FailureCode::AmountInvalid, "cards are not charged so exactly"));
            }
            let id = state.create(new, now);
            charge_of(state, &id, &page)
        })
    }

    /// Charges an object.
    pub fn confirm(&self, confirmation: &Confirmation) -> Result<Charge, GatewayError> {
        let page = self.page();
        self.call(|state, now| {
            let charge_id = confirmation.charge_id.as_str();
            let with = ConfirmWith {
                key: &confirmation.key,
                card_id: &confirmation.card_id,
                // A customer who is present is sent to a page.
                off_session: false,
            };
            let silent = |why: &str| Err(GatewayError::Unknown(why.to_owned()));
            match state.confirm(charge_id, &with, now) {
                None => Err(GatewayError::NotFound),
                Some(Confirmed::Silent) => silent("the card hangs"),
                Some(Confirmed::Broken) => silent("the card cannot be reached"),
                Some(Confirmed::Lost) => silent("the connection died after the charge"),
                Some(Confirmed::ChangedTopUp) => charge_of(state, charge_id, &page),
            }
        })
    }

    /// Returns the charge with this id.
    pub fn charge(&self, charge_id: &str) -> Result<Charge, GatewayError> {
        let page = self.page();
        self.call(|state, _| charge_of(state, charge_id, &page))
    }

    /// Cancels an object that is not charged.
    pub fn cancel(&self, charge_id: &str) -> Result<Charge, GatewayError> {
        let page = self.page();
        self.call(|state, now| {
            state.cancel(charge_id, now).ok_or(GatewayError::NotFound)?;
            charge_of(state, charge_id, &page)
        })
    }

    /// Refunds money, once per key.
    pub fn give_back(&self, charge_id: &str, key: &str, amount_minor: i64) -> Result<(), GatewayError> {
        self.call(|state, now| match state.refund(charge_id, key, amount_minor, now) {
            None => Err(GatewayError::NotFound),
            Some(Refunded::TooMuch) => Err(refused(FailureCode::AmountInvalid, "more than was charged")),
            Some(Refunded::Made(_)) => Ok(()),
        })
    }

    /// Returns the objects that were created since an instant, at most a hundred after the one named, in
    /// order.
    pub fn charges_since(&self, since: Timestamp, after: Option<&str>) -> Result<Vec<Charge>, GatewayError> {
        let page = self.page();
        self.call(|state, _| {
            let made_since = state
                .intents
                .values()
                .filter(|intent| intent.created_at >= since.millis());
            let rest = made_since.filter(|intent| after.is_none_or(|after| intent.id.as_str() > after));
            Ok(rest.take(PAGE).map(|intent| intent.charge(&page)).collect())
        })
    }
}
