//! Whether the rule buys now, how much, and why not: one function of what is the case.

use crate::ledger::AccountStatus;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, TopUpDecisionId, TopUpId};
use crate::primitives::money::{CreditPrice, Currency, Money};
use crate::primitives::timestamp::Timestamp;

use super::auto_top_up::{AutoTopUp, Consent, PauseReason};
use super::outcome::AUTOMATIC_RETRIES;
use super::payment_method::{PaymentMethod, PaymentMethodStatus};
use super::purchase::MAX_DECLINES;

/// So long after a success nothing is started: what it brought may not have been seen yet.
pub const COOLDOWN_MILLIS: i64 = 30_000;
/// Automatic attempts of one account within 24 hours, at the most.
const MAX_ATTEMPTS: u32 = 10;
/// Amounts that they buy together, at the most.
const MAX_AMOUNTS: i64 = 20;

crate::text_enum! {
    /// What an evaluation of the rule came to.
    DecisionOutcome {
        /// A top-up was started.
        Triggered = "TRIGGERED",
        /// There is enough.
        AboveTrigger = "ABOVE_TRIGGER",
        /// A top-up is under way.
        TopUpOpen = "TOP_UP_OPEN",
        /// One has only just succeeded.
        CoolingDown = "COOLING_DOWN",
        /// The bank has declined the card only just.
        RecentlyDeclined = "RECENTLY_DECLINED",
        /// The monthly cap leaves no room.
        CapReached = "CAP_REACHED",
        /// The operator's ceilings for a day leave no room.
        CeilingReached = "CEILING_REACHED",
        /// The gateway does not charge so little.
        AmountInvalid = "AMOUNT_INVALID",
        /// It costs more than was agreed to.
        ConsentNeeded = "CONSENT_NEEDED",
        /// It waits for somebody to do something.
        Paused = "PAUSED",
        /// There is no card that could be charged.
        NoPaymentMethod = "NO_PAYMENT_METHOD",
        /// The account is frozen or closed.
        AccountFrozen = "ACCOUNT_FROZEN",
        /// It is switched off.
        Off = "OFF",
    }
}

/// What the rule may charge at all depends on, whatever is available.
#[derive(Clone, Copy, Debug)]
pub struct ChargeFacts<'a> {
    /// What the account may do.
    pub standing: AccountStatus,
    /// The card that the rule would charge.
    pub card: Option<&'a PaymentMethod>,
    /// Declines of that card within 30 days.
    pub recent_declines: u32,
    /// What a credit costs.
    pub credit_price: CreditPrice,
    /// In which currency.
    pub currency: Currency,
    /// The least that the gateway charges.
    pub minimum_minor: i64,
}

/// Why the rule cannot charge, until somebody does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// It is switched off.
    Off,
    /// The account is frozen or closed.
    AccountFrozen,
    /// It has paused itself.
    Paused(PauseReason),
    /// One amount costs more than was agreed to.
    ConsentNeeded,
    /// One amount costs less than the gateway charges, or more than can be charged.
    AmountInvalid,
    /// There is no card, or the bank has refused it for good.
    NoCard,
    /// The card is past its date.
    CardExpired,
    /// The card was declined so often in 30 days that it is not tried again.
    TooManyDeclines,
}

impl Obstacle {
    /// What an evaluation that meets it comes to.
    pub fn outcome(self) -> DecisionOutcome {
        match self {
            Self::Off => DecisionOutcome::Off,
            Self::AccountFrozen => DecisionOutcome::AccountFrozen,
            Self::Paused(_) => DecisionOutcome::Paused,
            Self::ConsentNeeded => DecisionOutcome::ConsentNeeded,
            Self::AmountInvalid => DecisionOutcome::AmountInvalid,
            Self::NoCard | Self::CardExpired | Self::TooManyDeclines => DecisionOutcome::NoPaymentMethod,
        }
    }
}

/// All that an evaluation depends on, as it is under the account's lock.
#[derive(Clone, Debug)]
pub struct Snapshot<'a> {
    /// What it may charge at all.
    pub facts: ChargeFacts<'a>,
    /// What can be spent.
    pub available: Credits,
    /// An automatic top-up that is open, or one by hand that is being charged.
    pub has_open: bool,
    /// When a top-up last succeeded.
    pub last_success_at: Option<Timestamp>,
    /// Money of this month's automatic attempts that are not definitely unpaid.
    pub spent_minor: i64,
    /// Automatic attempts within 24 hours, declined ones included.
    pub recent_attempts: u32,
    /// Credits of those that are not definitely unpaid.
    pub recent_credits: Credits,
    /// When the first of those attempts no longer counts.
    pub ceiling_ends_at: Option<Timestamp>,
}

/// What an evaluation comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What it came to.
    pub outcome: DecisionOutcome,
    /// What to buy.
    pub purchase: Option<(Credits, Money)>,
    /// The cap left room for less than was wanted.
    pub is_capped: bool,
    /// Why it cannot charge at all.
    pub obstacle: Option<Obstacle>,
}

/// A decision as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDecision {
    /// Its id.
    pub id: TopUpDecisionId,
    /// Whose.
    pub account_id: AccountId,
    /// When it was first come to.
    pub created_at: Timestamp,
    /// When it was last come to.
    pub decided_at: Timestamp,
    /// What it came to.
    pub outcome: DecisionOutcome,
    /// What could be spent.
    pub available: Credits,
    /// The level it was held against.
    pub trigger: Option<Credits>,
    /// In words for people.
    pub message: String,
    /// What was started.
    pub top_up_id: Option<TopUpId>,
}

impl Decision {
    fn no(outcome: DecisionOutcome) -> Self {
        Self {
            outcome,
            purchase: None,
            is_capped: outcome == DecisionOutcome::CapReached,
            obstacle: None,
        }
    }

    fn stopped(obstacle: Obstacle) -> Self {
        Self {
            obstacle: Some(obstacle),
            ..Self::no(obstacle.outcome())
        }
    }

    /// Whose limit left no room for all that was wanted, for a decision of which that is so.
    pub fn limit(&self) -> &'static str {
        match self.outcome {
            DecisionOutcome::CeilingReached => DecisionOutcome::CeilingReached.as_str(),
            _ => DecisionOutcome::CapReached.as_str(),
        }
    }

    /// In words for people.
    pub fn message(&self, rule: &AutoTopUp, available: Credits) -> String {
        let trigger = rule.trigger.unwrap_or_default();
        match (self.outcome, self.purchase) {
            (DecisionOutcome::Triggered, Some((credits, price))) => {
                let capped = if self.is_capped {
                    ", all that the monthly cap leaves room for"
                } else {
                    ""
                };
                format!(
                    "Available credits: {available}, at or below the trigger of {trigger}. Bought: {credits} for {} {}{capped}.",
                    price.to_decimal(),
                    price.currency
                )
            }
            (DecisionOutcome::Triggered, None) => "A top-up was started.".to_owned(),
            (DecisionOutcome::AboveTrigger, _) => format!(
                "A booking was refused for want of credits. Available credits: {available}, above the trigger of {trigger}: a higher trigger would have topped up in time."
            ),
            (DecisionOutcome::TopUpOpen, _) => "A top-up is under way already.".to_owned(),
            (DecisionOutcome::CoolingDown, _) => "A top-up has only just succeeded.".to_owned(),
            (DecisionOutcome::RecentlyDeclined, _) => {
                "The bank has declined the card. It is tried again after an hour, then after six hours, or at once when another card is chosen."
                    .to_owned()
            }
            (DecisionOutcome::CapReached, _) => {
                "The monthly cap leaves no room for another amount. Raise it, top up by hand, or wait for the next month."
                    .to_owned()
            }
            (DecisionOutcome::CeilingReached, _) => {
                "So many attempts at automatic top-ups in one day are taken for a mistake. They go on when 24 hours have passed; top up by hand meanwhile."
                    .to_owned()
            }
            (DecisionOutcome::AmountInvalid, _) => {
                "One amount costs less than the payment service charges. Choose a larger amount.".to_owned()
            }
            (DecisionOutcome::ConsentNeeded, _) => {
                "One amount costs more than was agreed to. An owner or admin must agree to the new price.".to_owned()
            }
            (DecisionOutcome::Paused, _) => "Automatic top-ups are paused until they are resumed.".to_owned(),
            (DecisionOutcome::NoPaymentMethod, _) => match self.obstacle {
                Some(Obstacle::CardExpired) => "The card has expired. Choose another one.".to_owned(),
                Some(Obstacle::TooManyDeclines) => {
                    "The card was declined so often in 30 days that it is not tried again. Choose another one.".to_owned()
                }
                _ => "There is no card that could be charged.".to_owned(),
            },
            (DecisionOutcome::AccountFrozen, _) => "The account is frozen.".to_owned(),
            (DecisionOutcome::Off, _) => "Automatic top-ups are off.".to_owned(),
        }
    }
}

impl AutoTopUp {
    /// Whether the rule may charge at all, whatever is available, and if not why: the price of one amount. The only place that says
    /// so; its state, findings, forecasts and evaluations ask it.
    pub fn may_charge(&self, facts: &ChargeFacts<'_>, now: Timestamp) -> Result<Money, Obstacle> {
        let (amount, consent) = self.terms().ok_or(Obstacle::Off)?;
        if facts.standing != AccountStatus::Active {
            return Err(Obstacle::AccountFrozen);
        }
        if let Some(pause) = self.pause {
            return Err(Obstacle::Paused(pause));
        }
        let price = facts.credit_price.price_of(amount, facts.currency);
        let price = price.ok_or(Obstacle::AmountInvalid)?;
        if price.minor > consent.price_minor {
            return Err(Obstacle::ConsentNeeded);
        }
        if price.minor < facts.minimum_minor {
            return Err(Obstacle::AmountInvalid);
        }
        let card = facts.card.filter(|card| card.may_be_charged_again());
        let card = card.ok_or(Obstacle::NoCard)?;
        if card.status(now) == PaymentMethodStatus::Expired {
            return Err(Obstacle::CardExpired);
        }
        if facts.recent_declines >= MAX_DECLINES {
            return Err(Obstacle::TooManyDeclines);
        }
        Ok(price)
    }

    /// What it buys and what was agreed to, when it is switched on.
    fn terms(&self) -> Option<(Credits, &Consent)> {
        let is_complete = self.is_enabled && self.trigger.is_some();
        Some((self.amount?, self.consent.as_ref()?)).filter(|_| is_complete)
    }

    /// Until when nothing new is started because the bank has declined the rule's card: as long as a top-up that was declined waits for
    /// its next attempt, unless somebody has paid or changed something since.
    pub fn declined_until(&self, seen: &Snapshot<'_>) -> Option<Timestamp> {
        let declined_at = seen.facts.card?.last_declined_at?;
        let is_newer = declined_at > self.updated_at && seen.last_success_at.is_none_or(|at| at <= declined_at);
        let declines = usize::try_from(self.soft_declines).unwrap_or(0);
        let pause = AUTOMATIC_RETRIES[declines.saturating_sub(1).min(AUTOMATIC_RETRIES.len() - 1)];
        is_newer.then(|| declined_at.plus_millis(pause))
    }

    /// Whether the rule buys now. The first reason not to, in this order, is the answer.
    pub fn evaluate(&self, seen: &Snapshot<'_>, now: Timestamp) -> Decision {
        use DecisionOutcome as Outcome;
        let facts = &seen.facts;
        let may_charge = self.may_charge(facts, now);
        if let Err(obstacle @ (Obstacle::Off | Obstacle::AccountFrozen)) = may_charge {
            return Decision::stopped(obstacle);
        }
        let (Some(trigger), Some(amount)) = (self.trigger, self.amount) else {
            return Decision::stopped(Obstacle::Off);
        };
        if seen.available > trigger {
            return Decision::no(Outcome::AboveTrigger);
        }
        match may_charge {
            Err(obstacle @ Obstacle::Paused(_)) => return Decision::stopped(obstacle),
            _ if seen.has_open => return Decision::no(Outcome::TopUpOpen),
            Err(obstacle) => return Decision::stopped(obstacle),
            Ok(_) => {}
        }
        let cools_until = seen.last_success_at.map(|at| at.plus_millis(COOLDOWN_MILLIS));
        if cools_until.is_some_and(|until| now < until) {
            return Decision::no(Outcome::CoolingDown);
        }
        if self.declined_until(seen).is_some_and(|until| now < until) {
            return Decision::no(Outcome::RecentlyDeclined);
        }
        let gap = trigger.units().saturating_sub(seen.available.units());
        let wanted = gap / amount.units() + 1;
        let price_of = |count: i64| {
            let credits = Credits::from_units(amount.units().checked_mul(count)?);
            let price = facts.credit_price.price_of(credits, facts.currency)?;
            (credits <= Credits::MAX).then_some((credits, price))
        };
        let room = self.monthly_cap_minor.map(|cap| cap.saturating_sub(seen.spent_minor));
        let under_cap = most_amounts(wanted, |count| {
            price_of(count).is_some_and(|(_, price)| room.is_none_or(|room| price.minor <= room))
        });
        if under_cap == 0 {
            return Decision::no(Outcome::CapReached);
        }
        let bought = seen.recent_credits.units().max(0) / amount.units();
        let under_ceiling = under_cap.min(MAX_AMOUNTS.saturating_sub(bought));
        if seen.recent_attempts >= MAX_ATTEMPTS || under_ceiling <= 0 {
            return Decision::no(Outcome::CeilingReached);
        }
        Decision {
            outcome: Outcome::Triggered,
            purchase: price_of(under_ceiling),
            is_capped: under_cap < wanted,
            obstacle: None,
        }
    }
}

/// The largest number from 1 to `wanted` that fits, or 0 where 1 does not. What fits, fits in smaller numbers too.
pub fn most_amounts(wanted: i64, fits: impl Fn(i64) -> bool) -> i64 {
    if wanted >= 1 && fits(wanted) {
        return wanted;
    }
    let (mut low, mut high) = (0, wanted);
    // Invariant: low fits (0 does), high does not.
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if fits(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low.max(0)
}
