//! A snapshot of an account's purchases at one instant, for the code that searches for problems.

use std::collections::HashMap;

use crate::ledger::AccountStatus;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{PaymentMethodId, TopUpId};
use crate::primitives::timestamp::Timestamp;

use super::{
    AccountTerms, Attempt, AttemptOutcome, AutoTopUp, Decision, MAX_DECLINES, Obstacle, PaymentMethod,
    PaymentMethodStatus, Purchase, RetryFacts, RetryRefusal, StoredDecision, next_card,
};

/// An account's purchases, cards and rule as one transaction sees them.
#[derive(Clone, Debug)]
pub struct TopUpSnapshot {
    /// The status of the account.
    pub status: AccountStatus,
    /// The rule; a default rule if none was set.
    pub rule: AutoTopUp,
    /// The price of credits.
    pub terms: AccountTerms,
    /// All cards, including removed ones.
    pub cards: Vec<PaymentMethod>,
    /// The newest failed purchases, newest first. Refunds are not loaded, here and below.
    pub failed: Vec<Purchase>,
    /// The oldest purchases in progress, oldest first.
    pub unfinished: Vec<Purchase>,
    /// When a purchase last succeeded.
    pub last_success_at: Option<Timestamp>,
    /// The number of declines within 30 days, by the card's fingerprint.
    pub recent_declines: HashMap<String, u32>,
    /// The automatic top-up that can still change automatically.
    pub open_automatic: Option<TopUpId>,
    /// The newest decisions of the rule, newest first.
    pub decisions: Vec<StoredDecision>,
    /// The current decision of the rule, ignoring the pause after a success.
    pub decision: Decision,
    /// What the rule has spent this month, in minor units.
    pub spent_minor: i64,
    /// The number of automatic attempts within 24 hours, including declined ones.
    pub recent_attempts: u32,
    /// The credits of those attempts that are not known to be unpaid.
    pub recent_credits: Credits,
    /// Why the rule cannot charge, whatever is available.
    pub obstacle: Option<Obstacle>,
}

/// What can be done about a failed purchase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureRemedy {
    /// Retry it: with this card, or if `None`, with the card that a retry chooses.
    Retry(Option<PaymentMethodId>),
    /// Wait for another purchase, or until the account may buy again.
    Wait,
    /// Add a card that can be charged.
    AddCard,
}

impl TopUpSnapshot {
    /// Returns the card that the rule charges.
    pub fn card_of_rule(&self) -> Option<&PaymentMethod> {
        self.rule.card_of(&self.cards)
    }

    /// Returns the card that is charged if no other is named.
    pub fn default_card(&self) -> Option<&PaymentMethod> {
        let mut cards = self.cards.iter();
        cards.find(|card| card.is_default && card.removed_at.is_none())
    }

    /// Returns what can be done about a failed purchase. It uses the same check as the retry itself.
    pub fn failure_remedy(&self, purchase: &Purchase, now: Timestamp) -> FailureRemedy {
        let last = purchase.attempts.last().map(|attempt| attempt.payment_method_id);
        let chosen = next_card(&self.cards, last);
        let other = self
            .default_card()
            .filter(|card| Some(card.id) != chosen.map(|card| card.id));
        let mut answer = FailureRemedy::AddCard;
        for (card, named) in [(chosen, false), (other, true)] {
            let facts = RetryFacts {
                status: self.status,
                card,
                recent_declines: self.declines_of(card),
                open_automatic: self.open_automatic,
            };
            match purchase.may_retry(&facts) {
                Ok(()) if card.is_some_and(|card| self.is_good(card, now)) => {
                    return FailureRemedy::Retry(card.map(|card| card.id).filter(|_| named));
                }
                Err(RetryRefusal::InProgress(_) | RetryRefusal::Halted(_) | RetryRefusal::Over(_)) => {
                    answer = FailureRemedy::Wait;
                }
                Ok(())
                | Err(RetryRefusal::CardMissing | RetryRefusal::CardSuspended | RetryRefusal::TooManyDeclines) => {}
            }
        }
        answer
    }

    /// Returns whether a card can be charged, as far as is known.
    pub fn is_good(&self, card: &PaymentMethod, now: Timestamp) -> bool {
        card.may_be_charged_again()
            && card.status(now) != PaymentMethodStatus::Expired
            && self.declines_of(Some(card)) < MAX_DECLINES
    }

    fn declines_of(&self, card: Option<&PaymentMethod>) -> u32 {
        let declines = card.and_then(|card| self.recent_declines.get(&card.fingerprint));
        declines.copied().unwrap_or(0)
    }
}

/// Returns the attempt whose outcome is unknown, and since when: since it was sent. The gateway may have responded since then
/// without a result.
pub fn unknown(purchase: &Purchase) -> Option<(&Attempt, Timestamp)> {
    let attempt = purchase.open_attempt()?;
    let is_unknown = attempt.outcome == AttemptOutcome::Unknown;
    attempt
        .confirm_sent_at
        .filter(|_| is_unknown)
        .map(|since| (attempt, since))
}
