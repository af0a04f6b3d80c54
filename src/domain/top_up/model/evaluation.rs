//! Whether the rule buys now, how much, and why not: one function of what is the case.

use crate::domain::ledger::model::AccountStatus;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, TopUpDecisionId, TopUpId};
use crate::primitives::money::{CreditPrice, Currency, Money};

use super::auto_top_up::AutoTopUp;
use super::payment_method::{PaymentMethod, PaymentMethodStatus};
use super::purchase::MAX_DECLINES;

/// So long after a success nothing is started: what it brought may not have been seen yet.
pub const COOLDOWN_MILLIS: i64 = 30_000;
/// Automatic charges of one account within 24 hours, at the most.
const MAX_CHARGES: u32 = 10;
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

/// All that an evaluation depends on, as it is under the account's lock.
#[derive(Clone, Debug)]
pub struct Snapshot<'a> {
    /// What the account may do.
    pub standing: AccountStatus,
    /// What can be spent.
    pub available: Credits,
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
    /// An automatic top-up that is open, or one by hand that is being charged.
    pub has_open: bool,
    /// When a top-up last succeeded.
    pub last_success_at: Option<Timestamp>,
    /// Money of this month's automatic attempts that are not definitely unpaid.
    pub spent_minor: i64,
    /// Automatic attempts within 24 hours.
    pub recent_charges: u32,
    /// Credits of those that are not definitely unpaid.
    pub recent_credits: Credits,
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
                    "{available} credits were available, at or below the trigger of {trigger}: {credits} credits are bought for {} {}{capped}.",
                    price.to_decimal(),
                    price.currency
                )
            }
            (DecisionOutcome::Triggered, None) => "A top-up was started.".to_owned(),
            (DecisionOutcome::AboveTrigger, _) => format!(
                "A booking was refused for want of credits, but {available} are available, above the trigger of {trigger}: a higher trigger would have topped up in time."
            ),
            (DecisionOutcome::TopUpOpen, _) => "A top-up is under way already.".to_owned(),
            (DecisionOutcome::CoolingDown, _) => "A top-up has only just succeeded.".to_owned(),
            (DecisionOutcome::CapReached, _) => {
                "The monthly cap leaves no room for another amount. Raise it, top up by hand, or wait for the next month."
                    .to_owned()
            }
            (DecisionOutcome::CeilingReached, _) => {
                "So many automatic top-ups in one day are taken for a mistake. They go on tomorrow; top up by hand meanwhile."
                    .to_owned()
            }
            (DecisionOutcome::AmountInvalid, _) => {
                "One amount costs less than the payment service charges. Choose a larger amount.".to_owned()
            }
            (DecisionOutcome::ConsentNeeded, _) => {
                "One amount costs more than was agreed to. Somebody has to agree to the new price.".to_owned()
            }
            (DecisionOutcome::Paused, _) => "Automatic top-ups are paused until somebody resumes them.".to_owned(),
            (DecisionOutcome::NoPaymentMethod, _) => "There is no card that could be charged.".to_owned(),
            (DecisionOutcome::AccountFrozen, _) => "The account is frozen.".to_owned(),
            (DecisionOutcome::Off, _) => "Automatic top-ups are off.".to_owned(),
        }
    }
}

impl AutoTopUp {
    /// Whether the rule buys now. The first reason not to, in this order, is the answer.
    pub fn evaluate(&self, seen: &Snapshot<'_>, now: Timestamp) -> Decision {
        use DecisionOutcome as Outcome;
        let (true, Some(trigger), Some(amount), Some(consent)) =
            (self.is_enabled, self.trigger, self.amount, &self.consent)
        else {
            return Decision::no(Outcome::Off);
        };
        if seen.standing != AccountStatus::Active {
            return Decision::no(Outcome::AccountFrozen);
        }
        if seen.available > trigger {
            return Decision::no(Outcome::AboveTrigger);
        }
        if self.pause.is_some() {
            return Decision::no(Outcome::Paused);
        }
        if seen.has_open {
            return Decision::no(Outcome::TopUpOpen);
        }
        let Some(price_of_one) = seen.credit_price.price_of(amount, seen.currency) else {
            return Decision::no(Outcome::AmountInvalid);
        };
        if price_of_one.minor > consent.price_minor {
            return Decision::no(Outcome::ConsentNeeded);
        }
        if price_of_one.minor < seen.minimum_minor {
            return Decision::no(Outcome::AmountInvalid);
        }
        if seen
            .last_success_at
            .is_some_and(|at| now < at.plus_millis(COOLDOWN_MILLIS))
        {
            return Decision::no(Outcome::CoolingDown);
        }
        let may_charge = |card: &PaymentMethod| {
            card.may_be_charged_again()
                && card.status(now) != PaymentMethodStatus::Expired
                && seen.recent_declines < MAX_DECLINES
        };
        if !seen.card.is_some_and(may_charge) {
            return Decision::no(Outcome::NoPaymentMethod);
        }
        let gap = trigger.units().saturating_sub(seen.available.units());
        let wanted = gap / amount.units() + 1;
        let price_of = |count: i64| {
            let credits = Credits::from_units(amount.units().checked_mul(count)?);
            let price = seen.credit_price.price_of(credits, seen.currency)?;
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
        if seen.recent_charges >= MAX_CHARGES || under_ceiling <= 0 {
            return Decision::no(Outcome::CeilingReached);
        }
        Decision {
            outcome: Outcome::Triggered,
            purchase: price_of(under_ceiling),
            is_capped: under_cap < wanted,
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
