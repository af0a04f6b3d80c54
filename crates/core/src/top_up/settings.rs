//! Changes of the rule: settings are validated together, and a change that allows more spending needs consent.

use crate::primitives::actor::Cause;
use crate::primitives::credits::Credits;
use crate::primitives::money::{CreditPrice, Currency};
use crate::primitives::timestamp::Timestamp;

use super::auto_top_up::{AutoTopUp, Consent, PauseReason};
use super::payment_method::PaymentMethod;

/// A change of the rule. `None` keeps a setting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AutoTopUpPatch {
    /// Enables or disables the rule.
    pub enabled: Option<bool>,
    /// A top-up starts when available credits are at or below this.
    pub trigger: Option<Credits>,
    /// The credits of one amount.
    pub amount: Option<Credits>,
    /// The maximum money per month, in minor units; `Some(None)` removes the cap.
    pub monthly_cap_minor: Option<Option<i64>>,
    /// Whether a member agrees to the terms.
    pub consent: bool,
    /// The version that the rule must have; otherwise the change is refused.
    pub expected_version: Option<i32>,
}

/// The state that a change is checked against.
#[derive(Clone, Copy, Debug)]
pub struct PatchFacts<'a> {
    /// The card that the rule will charge.
    pub card: Option<&'a PaymentMethod>,
    /// The price of one credit.
    pub credit_price: CreditPrice,
    /// The currency of the account.
    pub currency: Currency,
    /// The smallest amount that the gateway charges, in minor units.
    pub minimum_minor: i64,
    /// Who requests the change.
    pub by: Cause,
}

/// Why a change of the rule is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatchRefusal {
    /// The rule has a different version than the caller expects.
    VersionConflict,
    /// An input is not valid or missing.
    Invalid {
        /// The name of the input.
        field: &'static str,
        /// A human-readable explanation.
        message: String,
    },
    /// There is no card.
    CardMissing,
    /// The card may not be charged automatically.
    CardSuspended,
    /// The change would allow more spending than the consent covers.
    ConsentRequired,
    /// The cap is smaller than the price of one amount.
    CapTooLow,
}

fn invalid(field: &'static str, message: impl Into<String>) -> PatchRefusal {
    PatchRefusal::Invalid {
        field,
        message: message.into(),
    }
}

impl AutoTopUp {
    /// Returns the rule after the change, or why it is refused. Disabling and enabling changes nothing else, and ends no pause.
    pub fn patched(&self, patch: &AutoTopUpPatch, facts: PatchFacts<'_>, now: Timestamp) -> Result<Self, PatchRefusal> {
        if patch.expected_version.is_some_and(|version| version != self.version) {
            return Err(PatchRefusal::VersionConflict);
        }
        let mut rule = self.clone();
        rule.is_enabled = patch.enabled.unwrap_or(self.is_enabled);
        rule.trigger = patch.trigger.or(self.trigger);
        rule.amount = patch.amount.or(self.amount);
        if let Some(cap) = patch.monthly_cap_minor {
            if cap.is_none() && self.is_enabled && rule.is_enabled {
                return Err(invalid(
                    "monthlyCap",
                    "cannot be removed while automatic top-ups are on",
                ));
            }
            rule.monthly_cap_minor = cap;
        }
        let is_no_trigger = |trigger: &Credits| trigger.is_negative() || *trigger > Credits::MAX;
        if let Some(trigger) = rule.trigger.filter(is_no_trigger) {
            return Err(invalid(
                "trigger",
                format!("must be between 0 and {}; got {trigger}", Credits::MAX),
            ));
        }
        let is_no_amount = |amount: &Credits| !amount.is_positive() || *amount > Credits::MAX;
        if let Some(amount) = rule.amount.filter(is_no_amount) {
            return Err(invalid(
                "amount",
                format!("must be greater than 0 and at most {}; got {amount}", Credits::MAX),
            ));
        }
        if rule.monthly_cap_minor.is_some_and(|cap| cap < 0) {
            return Err(invalid("monthlyCap", "must not be negative"));
        }
        let price = rule.price_of_one(self, facts, patch.consent)?;
        if rule.is_enabled {
            rule.check_enabled(self, patch, facts, price, now)?;
        }
        if rule.amount != self.amount && rule.pause == Some(PauseReason::AmountInvalid) {
            rule.end_pause(now);
        }
        if let Some(card) = facts.card
            && rule.payment_method_id != Some(card.id)
        {
            rule.payment_method_id = Some(card.id);
            rule.card_changed(card, now);
        }
        if rule != *self {
            rule.version = self.version.saturating_add(1);
            rule.updated_at = now;
            rule.look_again(now);
        }
        Ok(rule)
    }

    /// Returns the price of one amount. Only a change that would charge more is refused because of the price. Disabling and
    /// lowering always work; an amount that cannot be charged is never charged.
    fn price_of_one(&self, before: &Self, facts: PatchFacts<'_>, agrees: bool) -> Result<i64, PatchRefusal> {
        let Some(amount) = self.amount else {
            return Ok(0);
        };
        let is_switched_on = self.is_enabled && !before.is_enabled;
        let price = facts.credit_price.price_of(amount, facts.currency);
        if is_switched_on || self.amount != before.amount {
            let price = price.ok_or_else(|| invalid("amount", "costs more than can be charged"))?;
            if price.minor < facts.minimum_minor {
                return Err(invalid(
                    "amount",
                    "costs less than the minimum charge of the payment service",
                ));
            }
        }
        let price_minor = price.map_or(i64::MAX, |price| price.minor);
        let is_dearer = self.consent.is_some_and(|agreed| agreed.price_minor < price_minor);
        let is_raised = before.amount.is_none_or(|before| amount > before)
            || (agrees && is_dearer)
            || before
                .monthly_cap_minor
                .is_some_and(|before| self.monthly_cap_minor.is_some_and(|cap| cap > before));
        let is_too_low = self.monthly_cap_minor.is_some_and(|cap| cap < price_minor);
        if is_too_low && (is_switched_on || is_raised) {
            return Err(PatchRefusal::CapTooLow);
        }
        Ok(price.map_or(0, |price| price.minor))
    }

    fn check_enabled(
        &mut self,
        before: &Self,
        patch: &AutoTopUpPatch,
        facts: PatchFacts<'_>,
        price_minor: i64,
        now: Timestamp,
    ) -> Result<(), PatchRefusal> {
        let needed = "is required to switch automatic top-ups on";
        let trigger = self.trigger.ok_or_else(|| invalid("trigger", needed))?;
        let amount = self.amount.ok_or_else(|| invalid("amount", needed))?;
        let is_new_card = facts.card.is_some_and(|card| before.payment_method_id != Some(card.id));
        if !before.is_enabled || patch.consent || is_new_card {
            let card = facts.card.ok_or(PatchRefusal::CardMissing)?;
            if !card.may_be_charged_again() {
                return Err(PatchRefusal::CardSuspended);
            }
        }
        let consent = Consent {
            trigger,
            amount,
            monthly_cap_minor: self.monthly_cap_minor,
            price_minor,
            by: facts.by,
            at: now,
        };
        if patch.consent {
            let agreed = |consent: &Consent| {
                (
                    consent.trigger,
                    consent.amount,
                    consent.monthly_cap_minor,
                    consent.price_minor,
                )
            };
            let is_new = !before.is_enabled || self.consent.as_ref().map(agreed) != Some(agreed(&consent));
            if is_new {
                self.consent = Some(consent);
            }
            if self.pause == Some(PauseReason::ConsentNeeded) {
                self.end_pause(now);
            }
            return Ok(());
        }
        // A price that rose meanwhile pauses the rule, regardless of this change. It does not prevent a change to lower values.
        let is_covered = self.consent.as_ref().is_some_and(|agreed| agreed.covers(&consent));
        if before.is_enabled && is_covered {
            Ok(())
        } else {
            Err(PatchRefusal::ConsentRequired)
        }
    }
}

impl Consent {
    /// Returns whether consent to these terms includes the terms of `other`.
    fn covers(&self, other: &Self) -> bool {
        let cap_is_covered = match (self.monthly_cap_minor, other.monthly_cap_minor) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(agreed), Some(other)) => other <= agreed,
        };
        other.trigger <= self.trigger && other.amount <= self.amount && cap_is_covered
    }
}
