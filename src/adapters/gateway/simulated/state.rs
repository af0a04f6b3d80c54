//! What the simulated gateway remembers: customers, cards, intents to pay, and what it still has to tell.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::domain::top_up::gateway::{Card, Charge, ChargeFailure, ChargeStatus, DisputeStatus, NewCharge};
use crate::domain::top_up::model::FailureCode;
use crate::primitives::clock::Timestamp;

/// When a slow card answers.
const SLOW: i64 = 5_000;
/// When a card that fails late does.
const LATE: i64 = 60_000;

/// How a card behaves, by the beginning of its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Behaviour {
    Pays,
    Declines(Reason),
    Authenticates,
    Hangs,
    DiesAfterCharge,
    Unavailable,
    Slow,
    DeclinesOnce,
    FailsLate,
    Disputed,
}

/// Why a card declines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Reason {
    Funds,
    Declined,
    Expired,
    Blocked,
    NotAuthenticated,
}

impl Reason {
    fn code(self) -> FailureCode {
        match self {
            Self::Funds => FailureCode::InsufficientFunds,
            Self::Declined => FailureCode::CardDeclined,
            Self::Expired => FailureCode::CardExpired,
            Self::Blocked => FailureCode::CardBlocked,
            Self::NotAuthenticated => FailureCode::AuthenticationRequired,
        }
    }
}

impl Behaviour {
    /// From a token such as `card_ok` or, for another card that behaves alike, `card_ok-2`.
    pub(super) fn of(token: &str) -> Option<Self> {
        let name = token.split_once('-').map_or(token, |(name, _)| name);
        Some(match name {
            "card_ok" => Self::Pays,
            "card_insufficient_funds" => Self::Declines(Reason::Funds),
            "card_declined" => Self::Declines(Reason::Declined),
            "card_expired" => Self::Declines(Reason::Expired),
            "card_blocked" => Self::Declines(Reason::Blocked),
            "card_authenticate" => Self::Authenticates,
            "card_hang" => Self::Hangs,
            "card_dies_after_charge" => Self::DiesAfterCharge,
            "card_unavailable" => Self::Unavailable,
            "card_slow" => Self::Slow,
            "card_declines_once" => Self::DeclinesOnce,
            "card_fails_late" => Self::FailsLate,
            "card_disputed" => Self::Disputed,
            _ => return None,
        })
    }
}

/// A card.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct KeptCard {
    pub(super) token: String,
    pub(super) customer_id: String,
    pub(super) behaviour: Behaviour,
    pub(super) has_declined: bool,
}

/// Whether an intent is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum IntentStatus {
    Unconfirmed,
    Processing,
    RequiresAction,
    Succeeded,
    Canceled,
}

/// An intent to pay, which is paid once at the most.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Intent {
    pub(super) id: String,
    pub(super) reference: String,
    pub(super) customer_id: String,
    pub(super) card_id: String,
    pub(super) amount_minor: i64,
    pub(super) currency: String,
    pub(super) status: IntentStatus,
    /// The last failed try: why, and its charge.
    pub(super) failure: Option<(Reason, String)>,
    /// The charge that succeeded.
    pub(super) paid_by: Option<String>,
    pub(super) returned_minor: i64,
    pub(super) dispute: Option<Dispute>,
    pub(super) confirm_keys: BTreeSet<String>,
    pub(super) refund_keys: BTreeSet<String>,
    /// When something happens to it by itself.
    pub(super) pays_at: Option<i64>,
    pub(super) fails_at: Option<i64>,
    pub(super) created_at: i64,
    /// Successful charges. More than one would be a double charge.
    pub(super) charges: u32,
}

/// A dispute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Dispute {
    Open,
    Lost,
    Won,
}

/// Something to tell.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) body: String,
}

/// All that it remembers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) customers: BTreeMap<String, String>,
    pub(super) cards: BTreeMap<String, KeptCard>,
    pub(super) intents: BTreeMap<String, Intent>,
    pub(super) create_keys: BTreeMap<String, String>,
    pub(super) outbox: Vec<Event>,
    made: u64,
}

/// What becomes of a confirmation besides the intent.
pub(super) enum Confirmed {
    Answered,
    /// The answer does not arrive.
    Lost(&'static str),
}

impl State {
    /// A new id, in the order in which things are made.
    pub(super) fn next_id(&mut self, prefix: &str) -> String {
        self.made += 1;
        format!("{prefix}_sim{:010}", self.made)
    }

    pub(super) fn customer(&mut self, key: &str) -> String {
        if let Some(known) = self.customers.get(key) {
            return known.clone();
        }
        let id = self.next_id("cus");
        self.customers.insert(key.to_owned(), id.clone());
        id
    }

    pub(super) fn keep_card(&mut self, customer_id: &str, token: &str) -> Option<Card> {
        let behaviour = Behaviour::of(token)?;
        let known = self
            .cards
            .iter()
            .find(|(_, card)| card.customer_id == customer_id && card.token == token);
        if let Some((id, _)) = known {
            return Some(card(id, token));
        }
        let id = self.next_id("pm");
        let kept = KeptCard {
            token: token.to_owned(),
            customer_id: customer_id.to_owned(),
            behaviour,
            has_declined: false,
        };
        self.cards.insert(id.clone(), kept);
        Some(card(&id, token))
    }

    pub(super) fn create(&mut self, new: &NewCharge, now: Timestamp) -> String {
        if let Some(known) = self.create_keys.get(&new.key) {
            return known.clone();
        }
        let id = self.next_id("pi");
        self.create_keys.insert(new.key.clone(), id.clone());
        let intent = Intent {
            id: id.clone(),
            reference: new.reference.clone(),
            customer_id: new.customer_id.clone(),
            card_id: new.card_id.clone(),
            amount_minor: new.price.minor,
            currency: new.price.currency.code().to_lowercase(),
            status: IntentStatus::Unconfirmed,
            failure: None,
            paid_by: None,
            returned_minor: 0,
            dispute: None,
            confirm_keys: BTreeSet::new(),
            refund_keys: BTreeSet::new(),
            pays_at: None,
            fails_at: None,
            created_at: now.millis(),
            charges: 0,
        };
        self.intents.insert(id.clone(), intent);
        self.tell("payment_intent.created", &id, now);
        id
    }

    /// Charges an intent, once for a key, and never one that is paid, being paid or canceled.
    pub(super) fn confirm(&mut self, id: &str, key: &str, card_id: &str, now: Timestamp) -> Option<Confirmed> {
        let card = self.cards.get(card_id).cloned();
        let charge_id = self.next_id("ch");
        let intent = self.intents.get_mut(id)?;
        let Some(card) = card else {
            intent.failure = Some((Reason::Declined, charge_id));
            return Some(Confirmed::Answered);
        };
        let is_open = matches!(intent.status, IntentStatus::Unconfirmed | IntentStatus::RequiresAction);
        let loses_first = matches!(card.behaviour, Behaviour::Hangs | Behaviour::Unavailable);
        if loses_first {
            return Some(Confirmed::Lost("the card hangs"));
        }
        if !is_open || !intent.confirm_keys.insert(key.to_owned()) {
            return Some(Confirmed::Answered);
        }
        card_id.clone_into(&mut intent.card_id);
        let behaviour = match card.behaviour {
            Behaviour::DeclinesOnce if !card.has_declined => Behaviour::Declines(Reason::Declined),
            Behaviour::DeclinesOnce => Behaviour::Pays,
            other => other,
        };
        match behaviour {
            Behaviour::Declines(reason) => {
                intent.status = IntentStatus::Unconfirmed;
                intent.failure = Some((reason, charge_id));
                if let Some(card) = self.cards.get_mut(card_id) {
                    card.has_declined = true;
                }
                self.tell("payment_intent.payment_failed", id, now);
            }
            Behaviour::Authenticates => {
                intent.status = IntentStatus::RequiresAction;
                self.tell("payment_intent.requires_action", id, now);
            }
            Behaviour::Slow => {
                intent.status = IntentStatus::Processing;
                intent.pays_at = Some(now.millis() + SLOW);
                self.tell("payment_intent.processing", id, now);
            }
            _ => self.pay(id, charge_id, behaviour, now),
        }
        Some(if card.behaviour == Behaviour::DiesAfterCharge {
            Confirmed::Lost("the connection died after the charge")
        } else {
            Confirmed::Answered
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
        }
        self.tell("payment_intent.succeeded", id, now);
        if is_disputed {
            self.tell("charge.dispute.created", id, now);
        }
    }

    /// The customer has confirmed with the bank, or has not. Tells whether that was waited for.
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
            self.tell("payment_intent.payment_failed", id, now);
        }
        true
    }

    pub(super) fn cancel(&mut self, id: &str, now: Timestamp) -> Option<()> {
        let intent = self.intents.get_mut(id)?;
        if matches!(intent.status, IntentStatus::Unconfirmed | IntentStatus::RequiresAction) {
            intent.status = IntentStatus::Canceled;
            self.tell("payment_intent.canceled", id, now);
        }
        Some(())
    }

    /// Gives money back; `false` where that is more than there is.
    pub(super) fn refund(&mut self, id: &str, key: &str, amount_minor: i64, now: Timestamp) -> Option<bool> {
        let intent = self.intents.get_mut(id)?;
        if intent.refund_keys.contains(key) {
            return Some(true);
        }
        let left = intent.amount_minor - intent.returned_minor;
        if intent.status != IntentStatus::Succeeded || amount_minor <= 0 || amount_minor > left {
            return Some(false);
        }
        intent.refund_keys.insert(key.to_owned());
        intent.returned_minor += amount_minor;
        self.tell("charge.refunded", id, now);
        Some(true)
    }

    /// A dispute goes one way: opened, lost, won. One that was lost may still be won; none is opened again.
    pub(super) fn dispute(&mut self, id: &str, dispute: Dispute, now: Timestamp) -> bool {
        let Some(intent) = self.intents.get_mut(id) else {
            return false;
        };
        if intent.status != IntentStatus::Succeeded || intent.dispute >= Some(dispute) {
            return false;
        }
        intent.dispute = Some(dispute);
        let kind = if dispute == Dispute::Open {
            "charge.dispute.created"
        } else {
            "charge.dispute.closed"
        };
        self.tell(kind, id, now);
        true
    }

    /// Does what time alone brings about.
    pub(super) fn tick(&mut self, now: Timestamp) {
        let is_due = |at: Option<i64>| at.is_some_and(|at| at <= now.millis());
        let due = self
            .intents
            .values()
            .filter(|intent| is_due(intent.pays_at) || is_due(intent.fails_at));
        let due: Vec<String> = due.map(|intent| intent.id.clone()).collect();
        for id in due {
            let charge_id = self.next_id("ch");
            let Some(intent) = self.intents.get_mut(&id) else {
                continue;
            };
            if is_due(intent.pays_at) {
                self.pay(&id, charge_id, Behaviour::Pays, now);
            } else {
                intent.fails_at = None;
                intent.returned_minor = intent.amount_minor;
                self.tell("charge.refunded", &id, now);
            }
        }
    }

    /// Cards that hang or cannot be reached pay from now on.
    pub(super) fn mend_cards(&mut self) {
        for card in self.cards.values_mut() {
            if matches!(card.behaviour, Behaviour::Hangs | Behaviour::Unavailable) {
                card.behaviour = Behaviour::Pays;
            }
        }
    }

    fn tell(&mut self, kind: &str, id: &str, now: Timestamp) {
        let event_id = self.next_id("evt");
        let body = json!({
            "id": event_id, "object": "event", "type": kind, "created": now.millis() / 1_000,
            "data": { "object": { "id": id, "object": "payment_intent" } },
        });
        self.outbox.push(Event {
            id: event_id,
            kind: kind.to_owned(),
            body: body.to_string(),
        });
    }
}

/// A card, good until the end of 2039, or of the year that its token ends with: `card_ok-2027`.
pub(super) fn card(id: &str, token: &str) -> Card {
    let year = token.rsplit_once('-').and_then(|(_, year)| year.parse().ok());
    Card {
        id: id.to_owned(),
        brand: "visa".to_owned(),
        last4: "4242".to_owned(),
        expiry_month: 12,
        expiry_year: year.filter(|year| (2_000..10_000).contains(year)).unwrap_or(2_039),
        fingerprint: format!("fp_{token}"),
    }
}

impl Intent {
    pub(super) fn dispute_status(&self) -> Option<DisputeStatus> {
        self.dispute.map(|dispute| match dispute {
            Dispute::Open => DisputeStatus::Open,
            Dispute::Lost => DisputeStatus::Lost,
            Dispute::Won => DisputeStatus::Won,
        })
    }

    /// As the port has it. `page` is where customers confirm with the bank.
    pub(super) fn charge(&self, page: &str) -> Charge {
        let status = match self.status {
            IntentStatus::Unconfirmed => ChargeStatus::Unconfirmed,
            IntentStatus::Processing => ChargeStatus::Processing,
            IntentStatus::RequiresAction => ChargeStatus::RequiresAction,
            IntentStatus::Succeeded => ChargeStatus::Succeeded,
            IntentStatus::Canceled => ChargeStatus::Canceled,
        };
        let dispute = self.dispute_status();
        Charge {
            id: self.id.clone(),
            reference: Some(self.reference.clone()),
            status,
            amount_minor: self.amount_minor,
            failure: self.failure.as_ref().map(|(reason, mark)| ChargeFailure {
                code: reason.code(),
                mark: mark.clone(),
            }),
            action_url: (status == ChargeStatus::RequiresAction).then(|| format!("{page}/{}", self.id)),
            returned_minor: self.returned_minor,
            dispute: dispute.map(|dispute| (dispute, self.amount_minor - self.returned_minor)),
            created_at: Timestamp::from_millis(self.created_at),
        }
    }
}
