//! The simulated gateway behind the domain's port. It moves no money: for the demo, for development and for tests.

use std::future::ready;
use std::io;
use std::path::PathBuf;

use crate::adapters::private_files;
use crate::domain::top_up::gateway::{
    Card, CardSetup, Charge, Confirmation, InvalidWebhook, NewCharge, Notice, PaymentGateway, Response,
};
use crate::primitives::clock::{Clock, Timestamp};
use crate::primitives::money::{Currency, Money};

use super::webhook;

pub use stripe_simulator::{
    Chaos, ChargedObject, MINIMUM, PUBLISHABLE_KEY, SimulatedGateway, WEBHOOK_SECRET, WebhookSender, payment_page,
    router,
};

impl stripe_simulator::TimeSource for Clock {
    fn now(&self) -> Timestamp {
        Self::now(self)
    }
}

/// One that remembers in a file, and what is there already.
pub fn open(clock: Clock, file: PathBuf) -> io::Result<SimulatedGateway> {
    let kept = file.exists().then(|| std::fs::read(&file)).transpose()?;
    let keep = move |state: &[u8]| private_files::write(&file, state);
    SimulatedGateway::open(clock, kept.as_deref(), keep)
}

impl PaymentGateway for SimulatedGateway {
    fn name(&self) -> &'static str {
        "simulated"
    }

    fn minimum(&self, currency: Currency) -> i64 {
        MINIMUM.max(currency.step())
    }

    fn create_customer(&self, key: String, _: String) -> Response<'_, String> {
        Box::pin(ready(self.make_customer(&key)))
    }

    fn start_setup(&self, _: String) -> Response<'_, CardSetup> {
        Box::pin(ready(self.begin_setup()))
    }

    fn keep_card(&self, customer_id: String, token: String) -> Response<'_, Card> {
        Box::pin(ready(self.attach_card(&customer_id, &token)))
    }

    fn forget_card(&self, card_id: String) -> Response<'_, ()> {
        Box::pin(ready(self.detach_card(&card_id)))
    }

    fn create_charge(&self, new: NewCharge) -> Response<'_, Charge> {
        Box::pin(ready(self.make_charge(&new)))
    }

    fn confirm_charge(&self, confirmation: Confirmation) -> Response<'_, Charge> {
        Box::pin(ready(self.confirm(&confirmation)))
    }

    fn read_charge(&self, charge_id: String) -> Response<'_, Charge> {
        Box::pin(ready(self.charge(&charge_id)))
    }

    fn cancel_charge(&self, charge_id: String) -> Response<'_, Charge> {
        Box::pin(ready(self.cancel(&charge_id)))
    }

    fn refund(&self, charge_id: String, key: String, amount: Money) -> Response<'_, ()> {
        Box::pin(ready(self.give_back(&charge_id, &key, amount.minor)))
    }

    fn list_charges(&self, since: Timestamp, after: Option<String>) -> Response<'_, Vec<Charge>> {
        Box::pin(ready(self.charges_since(since, after.as_deref())))
    }

    fn read_webhook(&self, body: &[u8], signature: &str, now: Timestamp) -> Result<Notice, InvalidWebhook> {
        webhook::read(WEBHOOK_SECRET, body, signature, now)
    }
}
