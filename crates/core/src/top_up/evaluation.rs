//! Decides whether the rule buys now, how much, and why not. It is one function of the current state.

use crate::ledger::AccountStatus;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, TopUpDecisionId, TopUpId};
use crate::primitives::money::{CreditPrice, Currency, Money};
#[cfg(feature = "sea-orm")]
use crate::primitives::record::{FromRow, Record};
use crate::primitives::status::PurchaseLimit;
use crate::primitives::timestamp::Timestamp;

use super::auto_top_up::{AutoTopUp, Consent, PauseReason};
use super::outcome::AUTOMATIC_RETRIES;
use super::payment_method::{PaymentMethod, PaymentMethodStatus};
use super::purchase::MAX_DECLINES;

/// The pause after a success, in milliseconds: the result of that top-up may not be visible yet.
pub const COOLDOWN_MILLIS: i64 = 30_000;
/// The maximum number of automatic attempts of one account within 24 hours.
const MAX_ATTEMPTS: u32 = 10;
/// The maximum number of amounts that these attempts buy together.
const MAX_AMOUNTS: i64 = 20;

crate::text_enum! {
    /// The result of an evaluation of the rule.
    DecisionOutcome {
        /// A top-up was started.
        Triggered = "TRIGGERED",
        /// Enough credits are available.
        AboveTrigger = "ABOVE_TRIGGER",
        /// A top-up is in progress.
        TopUpOpen = "TOP_UP_OPEN",
        /// A top-up has just succeeded.
        CoolingDown = "COOLING_DOWN",
        /// The bank has just declined the card.
        RecentlyDeclined = "RECENTLY_DECLINED",
        /// The monthly cap is reached.
        CapReached = "CAP_REACHED",
        /// The daily limits of the operator are reached.
        CeilingReached = "CEILING_REACHED",
        /// The amount is less than the gateway charges.
        AmountInvalid = "AMOUNT_INVALID",
        /// The price is above what the consent covers.
        ConsentNeeded = "CONSENT_NEEDED",
        /// The rule is paused until a member or the platform acts.
        Paused = "PAUSED",
        /// There is no card to charge.
        NoPaymentMethod = "NO_PAYMENT_METHOD",
        /// The account is frozen or closed.
        AccountFrozen = "ACCOUNT_FROZEN",
        /// The rule is disabled.
        Off = "OFF",
    }
}

/// The state that decides whether the rule may charge at all, whatever is available.
#[derive(Clone, Copy, Debug)]
pub struct ChargeFacts<'a> {
    /// The status of the account.
    pub status: AccountStatus,
    /// The card that the rule would charge.
    pub card: Option<&'a PaymentMethod>,
    /// The number of declines of that card within 30 days.
    pub recent_declines: u32,
    /// The price of one credit.
    pub credit_price: CreditPrice,
    /// The currency of the account.
    pub currency: Currency,
    /// The smallest amount that the gateway charges, in minor units.
    pub minimum_minor: i64,
}

/// Why the rule cannot charge until a member or the platform acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The rule is disabled.
    Off,
    /// The account is frozen or closed.
    AccountFrozen,
    /// The rule is paused.
    Paused(PauseReason),
    /// The price of one amount is above what the consent covers.
    ConsentNeeded,
    /// The price of one amount is less than the gateway charges, or too large to charge.
    AmountInvalid,
    /// There is no card, or the bank has refused it permanently.
    NoCard,
    /// The card is expired.
    CardExpired,
    /// The card has too many declines within 30 days.
    TooManyDeclines,
}

impl Obstacle {
    /// Returns the result of an evaluation with this obstacle.
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

/// Everything that an evaluation depends on, read under the account's lock.
#[derive(Clone, Debug)]
pub struct Snapshot<'a> {
    /// The state that decides whether the rule may charge at all.
    pub facts: ChargeFacts<'a>,
    /// The credits that can be spent.
    pub available: Credits,
    /// Whether an automatic top-up is open, or a manual one is being charged.
    pub has_open: bool,
    /// When a top-up last succeeded.
    pub last_success_at: Option<Timestamp>,
    /// The money of this month's automatic attempts that are not known to be unpaid, in minor units.
    pub spent_minor: i64,
    /// The number of automatic attempts within 24 hours, including declined ones.
    pub recent_attempts: u32,
    /// The credits of those attempts that are not known to be unpaid.
    pub recent_credits: Credits,
    /// When the first of those attempts no longer counts.
    pub ceiling_ends_at: Option<Timestamp>,
}

/// The decision of an evaluation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The result.
    pub outcome: DecisionOutcome,
    /// The credits to buy and their price.
    pub purchase: Option<(Credits, Money)>,
    /// Whether a limit allowed less than was needed.
    pub is_capped: bool,
    /// Why the rule cannot charge at all.
    pub obstacle: Option<Obstacle>,
}

/// A stored decision.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "sea-orm", derive(Record, FromRow))]
pub struct StoredDecision {
    /// The id of the decision.
    pub id: TopUpDecisionId,
    /// The account of the rule.
    pub account_id: AccountId,
    /// When the decision was first made.
    pub created_at: Timestamp,
    /// When the same decision was last made.
    pub decided_at: Timestamp,
    /// The result.
    pub outcome: DecisionOutcome,
    /// The credits that could be spent.
    pub available: Credits,
    /// The trigger at that time.
    #[cfg_attr(feature = "sea-orm", record(name = "trigger_credits"))]
    pub trigger: Option<Credits>,
    /// A human-readable explanation.
    pub message: String,
    /// The top-up that was started.
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

    /// Returns the limit that reduced the purchase, for a decision with `is_capped`.
    pub const fn limit(&self) -> PurchaseLimit {
        match self.outcome {
            DecisionOutcome::CeilingReached => PurchaseLimit::Ceiling,
            _ => PurchaseLimit::Cap,
        }
    }

    /// Returns a human-readable explanation.
    pub fn message(&self, rule: &AutoTopUp, available: Credits) -> String {
        let trigger = rule.trigger.unwrap_or_default();
        match (self.outcome, self.purchase) {
            (DecisionOutcome::Triggered, Some((credits, price))) => {
                let capped = if self.is_capped {
                    ", the most that the monthly cap allows"
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
                "A booking was refused because too few credits were available. Available credits: {available}, above the trigger of {trigger}. With a higher trigger, the top-up would have started in time."
            ),
            (DecisionOutcome::TopUpOpen, _) => "A top-up is already in progress.".to_owned(),
            (DecisionOutcome::CoolingDown, _) => "A top-up succeeded a moment ago.".to_owned(),
            (DecisionOutcome::RecentlyDeclined, _) => {
                "The bank has declined the card. It is charged again after an hour, then after six hours, or at once when another card is chosen."
                    .to_owned()
            }
            (DecisionOutcome::CapReached, _) => {
                "The monthly cap does not allow another amount. Raise it, top up by hand, or wait for the next month."
                    .to_owned()
            }
            (DecisionOutcome::CeilingReached, _) => {
                "Automatic top-ups have reached the limit of attempts in one day. They continue after 24 hours; top up by hand until then."
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
                    "The card was declined too often in 30 days and is not charged again. Choose another one.".to_owned()
                }
                _ => "There is no card that could be charged.".to_owned(),
            },
            (DecisionOutcome::AccountFrozen, _) => "The account is frozen.".to_owned(),
            (DecisionOutcome::Off, _) => "Automatic top-ups are off.".to_owned(),
        }
    }
}

impl AutoTopUp {
    /// Returns the price of one amount, or why the rule may not charge at all, whatever is available. This is the only function
    /// that decides it: the state of the rule, findings, forecasts and evaluations call it.
    pub fn may_charge(&self, facts: &ChargeFacts<'_>, now: Timestamp) -> Result<Money, Obstacle> {
        let (amount, consent) = self.terms().ok_or(Obstacle::Off)?;
        if facts.status != AccountStatus::Active {
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

    /// Returns the amount and the consent, if the rule is enabled.
    fn terms(&self) -> Option<(Credits, &Consent)> {
        let is_complete = self.is_enabled && self.trigger.is_some();
        Some((self.amount?, self.consent.as_ref()?)).filter(|_| is_complete)
    }

    /// Returns until when a decline of the rule's card prevents a new top-up: while a declined top-up waits for its next
    /// attempt. It ends earlier if a top-up is paid or the rule is changed.
    pub fn declined_until(&self, seen: &Snapshot<'_>) -> Option<Timestamp> {
        let declined_at = seen.facts.card?.last_declined_at?;
        let is_newer = declined_at > self.updated_at && seen.last_success_at.is_none_or(|at| at <= declined_at);
        let declines = usize::try_from(self.soft_declines).unwrap_or(0);
        let pause = AUTOMATIC_RETRIES[declines.saturating_sub(1).min(AUTOMATIC_RETRIES.len() - 1)];
        is_newer.then(|| declined_at.plus_millis(pause))
    }

    /// Decides whether the rule buys now. The result is the first obstacle in this order.
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

/// Returns the largest number from 1 to `wanted` that fits, or 0 if 1 does not fit. If a number fits, all smaller numbers fit.
pub fn most_amounts(wanted: i64, fits: impl Fn(i64) -> bool) -> i64 {
    if wanted >= 1 && fits(wanted) {
        return wanted;
    }
    let (mut low, mut high) = (0, wanted);
    // Invariant: `low` fits (0 does), `high` does not.
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
