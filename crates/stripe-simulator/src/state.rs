//! The state of the simulated gateway: customers, cards, payment intents, refunds and events to deliver.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use ledgerbell_core::primitives::timestamp::{MINUTE, Timestamp};
use ledgerbell_core::top_up::{Card, NewCharge};

use super::cards::{Behaviour, KeptCard, Reason};
use super::dialect::Remembered;
use super::intent::{Dispute, Intent, IntentStatus, LATE_FAILURE, Refund};
use super::objects;

/// Milliseconds until a slow card pays.
const SLOW: i64 = 5_000;
/// Milliseconds until a late failure of a payment or a refund.
const LATE: i64 = MINUTE;

/// A card that is being set up in a browser.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Setup {
    pub(super) id: String,
    pub(super) customer_id: Option<String>,
    /// The card, after the customer has entered it.
    pub(super) card_id: Option<String>,
    pub(super) is_canceled: bool,
    pub(super) created_at: i64,
}

/// The data of a customer, without the id.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Customer {
    pub(super) email: Option<String>,
    pub(super) name: Option<String>,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) created_at: i64,
}

/// An event to deliver.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) body: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    /// Customer ids by the idempotency key of their creation.
    pub(super) customers: BTreeMap<String, String>,
    pub(super) known_customers: BTreeMap<String, Customer>,
    pub(super) cards: BTreeMap<String, KeptCard>,
    pub(super) setups: BTreeMap<String, Setup>,
    pub(super) intents: BTreeMap<String, Intent>,
    pub(super) create_keys: BTreeMap<String, String>,
    pub(super) outbox: Vec<Event>,
    /// HTTP responses by idempotency key.
    pub(super) responses: BTreeMap<String, Remembered>,
    /// The base address of the pages on which customers confirm with their bank.
    #[serde(skip)]
    pub(super) page: String,
    made: u64,
}

/// How the gateway responds to a confirmation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Confirmed {
    ChangedTopUp,
    /// Nothing was changed, and no response is sent.
    Silent,
    /// Nothing was changed, and the response is a server error.
    Broken,
    /// The change was made, and the connection is lost.
    Lost,
}

/// The result of a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refunded {
    /// The refund was made; it has this id.
    Made(String),
    /// The amount is more than what can be refunded.
    TooMuch,
}

/// The parameters of a confirmation.
pub(super) struct ConfirmWith<'a> {
    pub(super) key: &'a str,
    pub(super) card_id: &'a str,
    /// The customer is not present: a bank that requires a confirmation declines.
    pub(super) off_session: bool,
}

impl State {
    /// Returns a new id. Ids sort in the order of creation.
    pub(super) fn next_id(&mut self, prefix: &str) -> String {
        self.made += 1;
        format!("{prefix}_sim{:010}", self.made)
    }

    pub(super) fn customer(&mut self, key: &str, customer: Customer) -> String {
        if let Some(known) = self.customers.get(key) {
            return known.clone();
        }
        let id = self.next_id("cus");
        self.customers.insert(key.to_owned(), id.clone());
        self.known_customers.insert(id.clone(), customer);
        id
    }

    /// Attaches the card of this name to a customer. The same name returns the same card.
    pub(super) fn keep_card(&mut self, customer_id: &str, token: &str) -> Option<Card> {
        let is_theirs = |card: &KeptCard| card.customer_id.as_deref() == Some(customer_id);
        if let Some(known) = self.cards.get(token).filter(|card| is_theirs(card)) {
            return Some(known.card(token));
        }
        let known = self
            .cards
            .iter()
            .find(|(_, card)| is_theirs(card) && card.token == token);
        if let Some((id, card)) = known {
            return Some(card.card(id));
        }
        let id = self.new_card(token)?;
        let card = self.cards.get_mut(&id)?;
        card.customer_id = Some(customer_id.to_owned());
        Some(card.card(&id))
    }

    /// Creates a card of this name that no customer owns.
    pub(super) fn new_card(&mut self, token: &str) -> Option<String> {
        let card = KeptCard::new(token)?;
        let id = self.next_id("pm");
        self.cards.insert(id.clone(), card);
        Some(id)
    }

    pub(super) fn create(&mut self, new: &NewCharge, now: Timestamp) -> String {
        if let Some(known) = self.create_keys.get(&new.key) {
            return known.clone();
        }
        let intent = Intent {
            reference: Some(new.reference.clone()),
            customer_id: Some(new.customer_id.clone()),
            card_id: Some(new.card_id.clone()),
            ..Intent::new(new.price.minor, new.price.currency.code(), now)
        };
        let id = self.add_intent(intent, now);
        self.create_keys.insert(new.key.clone(), id.clone());
        id
    }

    /// Adds an intent under a new id.
    pub(super) fn add_intent(&mut self, intent: Intent, now: Timestamp) -> String {
        let id = self.next_id("pi");
        let intent = Intent {
            id: id.clone(),
            ..intent
        };
        self.intents.insert(id.clone(), intent);
        self.notify("payment_intent.created", &id, now, objects::intent);
        id
    }

    /// Charges an intent once per key. An intent that is paid, processing or canceled is never charged.
    pub(super) fn confirm(&mut self, id: &str, with: &ConfirmWith<'_>, now: Timestamp) -> Option<Confirmed> {
        let card = self.cards.get(with.card_id).cloned();
        let charge_id = self.next_id("ch");
        let intent = self.intents.get_mut(id)?;
        let Some(card) = card else {
            if intent.is_open() {
                intent.failure = Some((Reason::Gone, charge_id));
            }
            return Some(Confirmed::ChangedTopUp);
        };
        match card.behaviour {
            Behaviour::Hangs => return Some(Confirmed::Silent),
            Behaviour::Unavailable => return Some(Confirmed::Broken),
            _ => {}
        }
        if !intent.is_open() || !intent.confirm_keys.insert(with.key.to_owned()) {
            return Some(Confirmed::ChangedTopUp);
        }
        intent.card_id = Some(with.card_id.to_owned());
        let behaviour = match card.behaviour {
            Behaviour::DeclinesOnce if !card.has_declined => Behaviour::Declines(Reason::Declined),
            Behaviour::DeclinesOnce => Behaviour::Pays,
            Behaviour::Authenticates if with.off_session => Behaviour::Declines(Reason::Absent),
            other => other,
        };
        match behaviour {
            Behaviour::Declines(reason) => {
                intent.status = IntentStatus::Unconfirmed;
                intent.failure = Some((reason, charge_id));
                if let Some(card) = self.cards.get_mut(with.card_id) {
                    card.has_declined = true;
                }
                self.notify("payment_intent.payment_failed", id, now, objects::intent);
            }
            Behaviour::Authenticates => {
                intent.status = IntentStatus::RequiresAction;
                self.notify("payment_intent.requires_action", id, now, objects::intent);
            }
            Behaviour::Slow => {
                intent.status = IntentStatus::Processing;
                intent.pays_at = Some(now.millis() + SLOW);
                self.notify("payment_intent.processing", id, now, objects::intent);
            }
            _ => self.pay(id, charge_id, behaviour, now),
        }
        Some(if card.behaviour == Behaviour::DiesAfterCharge {
            Confirmed::Lost
        } else {
            Confirmed::ChangedTopUp
        })
    }

    fn pay(&mut self, id: &str, charge_id: String, behaviour: Behaviour, now: Timestamp) {
        let Some(intent) = self.intents.get_mut(id) else { return };
        intent.status = IntentStatus::Succeeded;
        intent.paid_by = Some(charge_id);
        intent.pays_at = None;
        intent.charges += 1;
        if behaviour == Behaviour::FailsLate {
            intent.fails_at = Some(now.millis() + LATE);
        }
        let is_disputed = behaviour == Behaviour::Disputed;
        if is_disputed {
            intent.dispute = Some(Dispute::Open);
            intent.disputed_minor = intent.amount_minor;
        }
        self.notify("payment_intent.succeeded", id, now, objects::intent);
        if is_disputed {
            self.notify("charge.dispute.created", id, now, objects::dispute);
        }
    }

    /// The customer confirms with the bank, or refuses. Returns whether the intent was waiting for a confirmation.
    pub(super) fn authenticate(&mut self, id: &str, confirms: bool, now: Timestamp) -> bool {
        let charge_id = self.next_id("ch");
        let Some(intent) = self.intents.get_mut(id) else {
            return false;
        };
        if intent.status != IntentStatus::RequiresAction {
            return false;
        }
        if confirms {
            self.pay(id, charge_id, Behaviour::Pays, now);
        } else {
            intent.status = IntentStatus::Unconfirmed;
            intent.failure = Some((Reason::NotAuthenticated, charge_id));
            self.notify("payment_intent.payment_failed", id, now, objects::intent);
        }
        true
    }

    /// The customer pays an open intent on its page, even if another party considers it failed.
    pub(super) fn pay_on_page(&mut self, id: &str, now: Timestamp) -> bool {
        let charge_id = self.next_id("ch");
        let is_open = self.intents.get(id).is_some_and(|intent| {
            let may_be_paid = matches!(intent.status, IntentStatus::Unconfirmed | IntentStatus::RequiresAction);
            // The page exists only after a first confirmation.
            may_be_paid && !intent.confirm_keys.is_empty()
        });
        if is_open {
            self.pay(id, charge_id, Behaviour::Pays, now);
        }
        is_open
    }

    pub(super) fn cancel(&mut self, id: &str, now: Timestamp) -> Option<()> {
        let intent = self.intents.get_mut(id)?;
        if intent.is_open() {
            intent.status = IntentStatus::Canceled;
            self.notify("payment_intent.canceled", id, now, objects::intent);
        }
        Some(())
    }

    /// Makes a refund, once per key.
    pub(super) fn refund(&mut self, id: &str, key: &str, amount_minor: i64, now: Timestamp) -> Option<Refunded> {
        let refund_id = self.next_id("re");
        let intent = self.intents.get_mut(id)?;
        if let Some(known) = intent.refunds.iter().find(|refund| refund.key == key) {
            return Some(Refunded::Made(known.id.clone()));
        }
        if intent.status != IntentStatus::Succeeded || amount_minor <= 0 || amount_minor > intent.left_minor() {
            return Some(Refunded::TooMuch);
        }
        let card = intent.card_id.as_ref().and_then(|card_id| self.cards.get(card_id));
        let fails = card.is_some_and(|card| card.behaviour == Behaviour::RefundFails);
        intent.refunds.push(Refund {
            id: refund_id.clone(),
            key: key.to_owned(),
            amount_minor,
            metadata: BTreeMap::new(),
            has_failed: false,
            fails_at: fails.then(|| now.millis() + LATE),
            created_at: now.millis(),
        });
        self.notify("charge.refunded", id, now, objects::charge);
        let made = refund_id.clone();
        self.notify("refund.created", id, now, |state, intent| {
            objects::refund(state, intent, &made)
        });
        Some(Refunded::Made(refund_id))
    }

    /// The customer's bank rejects a refund, and the money returns to the merchant. Returns whether there was such a refund.
    pub(super) fn fail_refund(&mut self, id: &str, refund_id: &str, now: Timestamp) -> bool {
        let refund = self.intents.get_mut(id).and_then(|intent| {
            let mut refunds = intent.refunds.iter_mut();
            refunds.find(|refund| refund.id == refund_id && !refund.has_failed)
        });
        let Some(refund) = refund else { return false };
        refund.has_failed = true;
        refund.fails_at = None;
        for kind in ["refund.failed", "charge.refund.updated"] {
            self.notify(kind, id, now, |state, intent| objects::refund(state, intent, refund_id));
        }
        true
    }

    /// Sets the state of a dispute. It only moves forward: open, lost, won. A lost dispute can still be won; none is reopened.
    pub(super) fn dispute(&mut self, id: &str, dispute: Dispute, now: Timestamp) -> bool {
        let Some(intent) = self.intents.get_mut(id) else {
            return false;
        };
        if intent.status != IntentStatus::Succeeded || intent.dispute >= Some(dispute) {
            return false;
        }
        if intent.dispute.is_none() {
            intent.disputed_minor = intent.left_minor();
        }
        intent.dispute = Some(dispute);
        let kind = if dispute == Dispute::Open {
            "charge.dispute.created"
        } else {
            "charge.dispute.closed"
        };
        self.notify(kind, id, now, objects::dispute);
        true
    }

    /// Applies the changes whose time has come.
    pub(super) fn tick(&mut self, now: Timestamp) {
        let is_due = |at: Option<i64>| at.is_some_and(|at| at <= now.millis());
        let any_due = |intent: &Intent| {
            let refunds = intent.refunds.iter().any(|refund| is_due(refund.fails_at));
            refunds || is_due(intent.pays_at) || is_due(intent.fails_at)
        };
        let due: Vec<Intent> = self
            .intents
            .values()
            .filter(|intent| any_due(intent))
            .cloned()
            .collect();
        for intent in due {
            let id = intent.id.as_str();
            if is_due(intent.pays_at) {
                let charge_id = self.next_id("ch");
                self.pay(id, charge_id, Behaviour::Pays, now);
            }
            if is_due(intent.fails_at) {
                if let Some(intent) = self.intents.get_mut(id) {
                    intent.fails_at = None;
                }
                self.refund(id, LATE_FAILURE, intent.left_minor(), now);
            }
            for refund in intent.refunds.iter().filter(|refund| is_due(refund.fails_at)) {
                self.fail_refund(id, &refund.id, now);
            }
        }
    }

    /// Cards that hang or are unavailable pay from now on.
    pub(super) fn mend_cards(&mut self) {
        for card in self.cards.values_mut() {
            if matches!(card.behaviour, Behaviour::Hangs | Behaviour::Unavailable) {
                card.behaviour = Behaviour::Pays;
            }
        }
    }

    /// Adds an event about the current state of an intent to the outbox.
    fn notify(&mut self, kind: &str, id: &str, now: Timestamp, object: impl FnOnce(&Self, &Intent) -> Value) {
        let event_id = self.next_id("evt");
        let Some(intent) = self.intents.get(id) else { return };
        let body = objects::event(&event_id, kind, &object(self, intent), now);
        self.outbox.push(Event {
            id: event_id,
            kind: kind.to_owned(),
            body: body.to_string(),
        });
    }
}
