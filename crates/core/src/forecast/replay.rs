//! The automatic top-up, simulated over a history.
//!
//! Exact: the time and the content of each decision. The rule itself decides, at every instant at which available credits
//! changed, and when what blocked it was over. Assumed: each charge succeeds at once, at today's price; the account is
//! active throughout; credits expire and sessions are booked as they were. A history may be given hour by hour. Then the
//! low of an hour is the lowest available amount at any instant of it. A charge is made at the beginning of its hour.

use std::collections::{BTreeMap, BTreeSet};

use crate::ledger::AccountStatus;
use crate::primitives::actor::Cause;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, PaymentMethodId};
use crate::primitives::money::Money;
use crate::primitives::timestamp::{DAY, Timestamp};
use crate::top_up::AccountTerms;
use crate::top_up::{AutoTopUp, COOLDOWN_MILLIS, ChargeFacts, Consent, DecisionOutcome, PaymentMethod, Snapshot};

use super::{InvalidTrial, TrialSettings, burn};

/// The change of available credits at an instant, or within an hour from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BalanceChange {
    /// The instant, or the beginning of the hour.
    pub at: Timestamp,
    /// The lowest point meanwhile, as a change; at most `change`.
    pub low: Credits,
    /// The total change.
    pub change: Credits,
    /// A manual top-up succeeded at that instant: the rule waits a short time after one.
    pub is_paid: bool,
}

/// A charge that the rule would have made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimulatedTopUp {
    /// The time of the charge.
    pub at: Timestamp,
    /// Available credits before the charge.
    pub available: Credits,
    /// Credits bought.
    pub credits: Credits,
    /// The price of the charge.
    pub price: Money,
    /// Whether the cap allowed less than was wanted.
    pub is_capped: bool,
}

/// The charges of a calendar month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedMonth {
    /// `2026-11`, in the account's zone.
    pub month: String,
    /// Number of charges.
    pub charges: u32,
    /// The sum of the prices.
    pub cost: Money,
    /// Whether the cap prevented a charge.
    pub is_capped: bool,
}

/// The result of a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The charges, oldest first.
    pub top_ups: Vec<SimulatedTopUp>,
    /// Months with a charge, or with one that the cap prevented.
    pub months: Vec<SimulatedMonth>,
    /// Credits bought in all charges.
    pub credits: Credits,
    /// The sum of the prices.
    pub cost: Money,
    /// The lowest available amount, before the charge that it caused.
    pub lowest: Credits,
    /// The first time of that amount.
    pub lowest_at: Option<Timestamp>,
    /// How often the available amount fell below zero.
    pub times_below_zero: u32,
    /// The available amount at the end.
    pub closing: Credits,
}

/// A rule to simulate, and the terms of its charges.
#[derive(Clone, Debug)]
pub struct RuleTerms {
    rule: AutoTopUp,
    terms: AccountTerms,
    minimum_minor: i64,
}

impl RuleTerms {
    /// Returns the rule with these settings and full consent, or what is wrong with them. A cap below one amount is allowed,
    /// because the simulation shows its effect.
    pub fn check(trial: &TrialSettings, terms: AccountTerms, minimum_minor: i64) -> Result<Self, InvalidTrial> {
        let TrialSettings { trigger, amount, .. } = *trial;
        if trigger.is_negative() || trigger > Credits::MAX {
            return Err(InvalidTrial::new(
                "trigger",
                format!("must be between 0 and {}; got {trigger}", Credits::MAX),
            ));
        }
        if !amount.is_positive() || amount > Credits::MAX {
            return Err(InvalidTrial::new(
                "amount",
                format!("must be greater than 0 and at most {}; got {amount}", Credits::MAX),
            ));
        }
        let cap = match trial.monthly_cap {
            None => None,
            Some(cap) => {
                let minor = terms.minor_units(cap).filter(|minor| *minor >= 0);
                let wrong = || {
                    let message = format!("must be an amount of {}, 0 or more", terms.currency);
                    InvalidTrial::new("monthlyCap", message)
                };
                Some(minor.ok_or_else(wrong)?)
            }
        };
        let price = terms.price_of(amount);
        let price = price.ok_or_else(|| InvalidTrial::new("amount", "costs more than can be charged"))?;
        if price.minor < minimum_minor {
            return Err(InvalidTrial::new(
                "amount",
                "costs less than the minimum charge of the payment service",
            ));
        }
        let now = Timestamp::MIN;
        let mut rule = AutoTopUp::new(AccountId::PLATFORM, now);
        rule.is_enabled = true;
        (rule.trigger, rule.amount, rule.monthly_cap_minor) = (Some(trigger), Some(amount), cap);
        rule.consent = Some(Consent {
            trigger,
            amount,
            monthly_cap_minor: cap,
            price_minor: price.minor,
            by: Cause::System,
            at: now,
        });
        Ok(Self {
            rule,
            terms,
            minimum_minor,
        })
    }
}

/// A replay in progress.
#[derive(Clone, Debug)]
pub struct Replay {
    of: RuleTerms,
    card: PaymentMethod,
    available: Credits,
    is_below_zero: bool,
    /// When a reason that blocked the rule ends.
    look_again_at: Option<Timestamp>,
    spent: BTreeMap<String, i64>,
    capped: BTreeSet<String>,
    top_ups: Vec<SimulatedTopUp>,
    last_success_at: Option<Timestamp>,
    lowest: Option<(Credits, Timestamp)>,
    times_below_zero: u32,
}

impl Replay {
    /// Starts with these available credits.
    pub fn new(of: RuleTerms, available: Credits) -> Self {
        Self {
            of,
            card: good_card(),
            available,
            is_below_zero: available.is_negative(),
            look_again_at: None,
            spent: BTreeMap::new(),
            capped: BTreeSet::new(),
            top_ups: Vec::new(),
            last_success_at: None,
            lowest: None,
            times_below_zero: 0,
        }
    }

    /// Continues an account's own rule, with its own card.
    pub fn of_rule(
        rule: &AutoTopUp,
        card: PaymentMethod,
        terms: AccountTerms,
        minimum_minor: i64,
        available: Credits,
    ) -> Self {
        let rule = rule.clone();
        let of = RuleTerms {
            rule,
            terms,
            minimum_minor,
        };
        Self {
            card,
            ..Self::new(of, available)
        }
    }

    /// Adds what was charged in this month before.
    pub fn has_spent(&mut self, month: String, minor: i64) {
        self.spent.insert(month, minor);
    }

    /// Returns when the rule buys next if available credits have fallen to its trigger at `at`; `None` if it never
    /// buys.
    pub fn next_from(mut self, at: Timestamp) -> Option<Timestamp> {
        let above = self.available.units().saturating_sub(self.of.rule.trigger?.units());
        let change = Credits::from_units(-above.max(0));
        self.play(BalanceChange {
            at,
            low: change,
            change,
            is_paid: false,
        });
        // A reason that blocks the rule ends with the next month at the latest.
        self.wait_until(burn::after(at, 62 * DAY)?);
        self.top_ups.first().map(|top_up| top_up.at)
    }

    /// Evaluates the rule as if it had just been saved.
    pub fn look(&mut self, at: Timestamp) {
        self.note_low(at);
        if Some(self.available) <= self.of.rule.trigger {
            self.decide(at);
        }
    }

    /// Applies one change of the history.
    pub fn play(&mut self, step: BalanceChange) {
        self.wait_until(step.at);
        let rest = Credits::from_units(step.change.units().saturating_sub(step.low.units()));
        self.available = plus(self.available, step.low);
        self.note_low(step.at);
        if step.is_paid {
            self.last_success_at = Some(step.at);
        }
        if self.available.is_negative() && !self.is_below_zero {
            self.times_below_zero += 1;
        }
        if Some(self.available) <= self.of.rule.trigger {
            self.decide(step.at);
        }
        self.available = plus(self.available, rest);
        self.is_below_zero = self.available.is_negative();
    }

    /// Returns the result up to `until`.
    pub fn finish(mut self, until: Timestamp) -> Replayed {
        self.wait_until(until);
        let terms = self.of.terms;
        let mut months: BTreeMap<String, SimulatedMonth> = BTreeMap::new();
        let month_of = |month: &str| SimulatedMonth {
            month: month.to_owned(),
            charges: 0,
            cost: terms.money(0),
            is_capped: false,
        };
        for top_up in &self.top_ups {
            let name = terms.month(top_up.at);
            let month = months.entry(name.clone()).or_insert_with(|| month_of(&name));
            month.charges += 1;
            month.cost.minor = month.cost.minor.saturating_add(top_up.price.minor);
        }
        for name in &self.capped {
            months.entry(name.clone()).or_insert_with(|| month_of(name)).is_capped = true;
        }
        let cost = self
            .top_ups
            .iter()
            .fold(0_i64, |sum, top_up| sum.saturating_add(top_up.price.minor));
        Replayed {
            credits: self.top_ups.iter().map(|top_up| top_up.credits).sum(),
            cost: terms.money(cost),
            months: months.into_values().collect(),
            top_ups: self.top_ups,
            lowest: self.lowest.map_or(self.available, |(lowest, _)| lowest),
            lowest_at: self.lowest.map(|(_, at)| at),
            times_below_zero: self.times_below_zero,
            closing: self.available,
        }
    }

    /// Lets the rule decide again whenever a reason that blocked it ends before `until`. The loop terminates: each decision buys,
    /// or waits for a later time.
    fn wait_until(&mut self, until: Timestamp) {
        while let Some(at) = self.look_again_at.filter(|at| *at <= until) {
            self.look_again_at = None;
            if Some(self.available) <= self.of.rule.trigger {
                self.decide(at);
                self.is_below_zero = self.available.is_negative();
            }
        }
    }

    fn note_low(&mut self, at: Timestamp) {
        if self.lowest.is_none_or(|(lowest, _)| self.available < lowest) {
            self.lowest = Some((self.available, at));
        }
    }

    fn decide(&mut self, at: Timestamp) {
        let month = self.of.terms.month(at);
        let since = at.plus_millis(-DAY);
        let recent = self.top_ups.iter().rev().take_while(|top_up| top_up.at > since);
        let recent: Vec<SimulatedTopUp> = recent.copied().collect();
        let facts = ChargeFacts {
            status: AccountStatus::Active,
            card: Some(&self.card),
            recent_declines: 0,
            credit_price: self.of.terms.credit_price,
            currency: self.of.terms.currency,
            minimum_minor: self.of.minimum_minor,
        };
        let ceiling_ends_at = recent.last().map(|oldest| oldest.at.plus_millis(DAY));
        let seen = Snapshot {
            facts,
            available: self.available,
            has_open: false,
            last_success_at: self.last_success_at,
            spent_minor: self.spent.get(&month).copied().unwrap_or_default(),
            recent_attempts: u32::try_from(recent.len()).unwrap_or(u32::MAX),
            recent_credits: recent.iter().map(|top_up| top_up.credits).sum(),
            ceiling_ends_at,
        };
        let decision = self.of.rule.evaluate(&seen, at);
        self.look_again_at = match decision.outcome {
            DecisionOutcome::CoolingDown => self.last_success_at.map(|last| last.plus_millis(COOLDOWN_MILLIS)),
            DecisionOutcome::CapReached => {
                self.capped.insert(month.clone());
                Some(self.of.terms.month_ends_at(at))
            }
            DecisionOutcome::CeilingReached => ceiling_ends_at,
            _ => None,
        };
        let Some((credits, price)) = decision.purchase else {
            return;
        };
        if decision.is_capped {
            self.capped.insert(month.clone());
        }
        self.top_ups.push(SimulatedTopUp {
            at,
            available: self.available,
            credits,
            price,
            is_capped: decision.is_capped,
        });
        let spent = self.spent.entry(month).or_default();
        *spent = spent.saturating_add(price.minor);
        self.available = plus(self.available, credits);
        self.last_success_at = Some(at);
        self.look_again_at = Some(at.plus_millis(COOLDOWN_MILLIS));
    }
}

fn plus(one: Credits, other: Credits) -> Credits {
    Credits::from_units(one.units().saturating_add(other.units()))
}

/// A card that is never declined.
fn good_card() -> PaymentMethod {
    PaymentMethod {
        id: PaymentMethodId::from_uuid(uuid::Uuid::nil()),
        account_id: AccountId::PLATFORM,
        gateway_card_id: String::new(),
        brand: String::new(),
        last4: String::new(),
        expiry_month: 12,
        expiry_year: 9_999,
        fingerprint: String::new(),
        suspension: None,
        is_default: true,
        added_at: Timestamp::MIN,
        last_declined_at: None,
        removed_at: None,
    }
}
