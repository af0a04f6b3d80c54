//! All that can be said about an account's purchases at one instant, for whoever finds out what is wrong with them.

use std::collections::HashMap;

use crate::domain::database::Transaction;
use crate::domain::fault::Fault;
use crate::domain::ledger::model::{AccountHeader, AccountStatus};
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{PaymentMethodId, TopUpId};

use super::AccountTerms;
use super::AutoTopUps;
use super::auto_top_ups::{card_of, observe};
use super::model::{
    Attempt, AttemptOutcome, AutoTopUp, Decision, MAX_DECLINES, Obstacle, PaymentMethod, PaymentMethodStatus, Purchase,
    RetryFacts, RetryRefusal, Snapshot, StoredDecision,
};
use super::requests::{DECLINES_SINCE, choose_card};
use super::store;

/// Purchases that have failed and purchases that are under way: so many of each are looked at.
const MOST_PURCHASES: u32 = 20;
/// So many of the newest decisions are looked at.
const MOST_DECISIONS: u32 = 20;

/// An account's purchases, cards and rule as one transaction sees them.
#[derive(Clone, Debug)]
pub struct Picture {
    /// What the account may do.
    pub standing: AccountStatus,
    /// The rule, as it was set or never set.
    pub rule: AutoTopUp,
    /// What credits cost.
    pub terms: AccountTerms,
    /// All cards, removed ones included.
    pub cards: Vec<PaymentMethod>,
    /// The newest purchases that have failed, newest first. Refunds are left out here and below.
    pub failed: Vec<Purchase>,
    /// The oldest purchases that are under way, oldest first.
    pub unfinished: Vec<Purchase>,
    /// When a purchase last succeeded.
    pub last_success_at: Option<Timestamp>,
    /// Declines within 30 days, by the card's fingerprint.
    pub recent_declines: HashMap<String, u32>,
    /// The automatic top-up of which something may still come by itself.
    pub open_automatic: Option<TopUpId>,
    /// The newest decisions of the rule, newest first.
    pub decisions: Vec<StoredDecision>,
    /// What the rule decides now, had nothing succeeded only just.
    pub decision: Decision,
    /// What the rule has spent this month, in the minor unit.
    pub spent_minor: i64,
    /// Automatic attempts within 24 hours, declined ones included.
    pub recent_attempts: u32,
    /// Credits of those that are not definitely unpaid.
    pub recent_credits: Credits,
    /// Why the rule cannot charge, whatever is available.
    pub obstacle: Option<Obstacle>,
}

/// What can be done about a purchase that has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayOn {
    /// Retry it: with the card that a retry chooses, or with this one.
    Retry(Option<PaymentMethodId>),
    /// Wait for another one, or until the account may buy again.
    Wait,
    /// Give a card that can be charged.
    AddCard,
}

impl AutoTopUps {
    /// The picture of the account whose figures these are.
    pub(in crate::domain) async fn picture(
        &self,
        tx: &Transaction,
        header: &AccountHeader,
        now: Timestamp,
    ) -> Result<Picture, Fault> {
        let account_id = header.account_id;
        let found = store::find_rule(tx, account_id).await?;
        let rule = found.unwrap_or_else(|| AutoTopUp::new(account_id, now));
        let terms = store::account_terms(tx, account_id).await?;
        let cards = store::payment_methods(tx, account_id).await?;
        let minimum_minor = self.minimum(terms.currency);
        let seen = observe(tx, header, (&terms, minimum_minor), card_of(&rule, &cards), None, now).await?;
        let last_success_at = seen.last_success_at;
        let settled = Snapshot {
            last_success_at: None,
            ..seen
        };
        let decision = rule.evaluate(&settled, now);
        let obstacle = rule.may_charge(&settled.facts, now).err();
        let (spent_minor, recent_attempts, recent_credits) =
            (settled.spent_minor, settled.recent_attempts, settled.recent_credits);
        let failed = store::failed(tx, account_id, MOST_PURCHASES).await?;
        let unfinished = store::unfinished(tx, account_id, MOST_PURCHASES).await?;
        let ids: Vec<TopUpId> = failed.iter().chain(&unfinished).map(|top_up| top_up.id).collect();
        let mut attempts = store::attempts_of(tx, account_id, &ids).await?;
        let mut purchases = |top_ups: Vec<super::TopUp>| -> Vec<Purchase> {
            let purchase = |top_up: super::TopUp| Purchase {
                attempts: attempts.remove(&top_up.id).unwrap_or_default(),
                refunds: Vec::new(),
                top_up,
            };
            top_ups.into_iter().map(purchase).collect()
        };
        Ok(Picture {
            standing: header.status,
            failed: purchases(failed),
            unfinished: purchases(unfinished),
            last_success_at,
            recent_declines: store::recent_declines(tx, account_id, now.plus_millis(-DECLINES_SINCE)).await?,
            open_automatic: store::open_automatic(tx, account_id).await?,
            decisions: store::recent_decisions(tx, account_id, MOST_DECISIONS).await?,
            decision,
            spent_minor,
            recent_attempts,
            recent_credits,
            obstacle,
            rule,
            terms,
            cards,
        })
    }
}

impl Picture {
    /// The card that the rule charges.
    pub fn card_of_rule(&self) -> Option<&PaymentMethod> {
        card_of(&self.rule, &self.cards)
    }

    /// The card that is charged where no other is named.
    pub fn default_card(&self) -> Option<&PaymentMethod> {
        let mut cards = self.cards.iter();
        cards.find(|card| card.is_default && card.removed_at.is_none())
    }

    /// What can be done about a purchase that has failed. It is asked by what answers whoever tries.
    pub fn way_on(&self, purchase: &Purchase, now: Timestamp) -> WayOn {
        let last = purchase.attempts.last().map(|attempt| attempt.payment_method_id);
        let chosen = choose_card(&self.cards, None, last).ok().flatten();
        let other = self
            .default_card()
            .filter(|card| Some(card.id) != chosen.map(|card| card.id));
        let mut answer = WayOn::AddCard;
        for (card, named) in [(chosen, false), (other, true)] {
            let facts = RetryFacts {
                standing: self.standing,
                card,
                recent_declines: self.declines_of(card),
                open_automatic: self.open_automatic,
            };
            match purchase.may_retry(&facts) {
                Ok(()) if card.is_some_and(|card| self.is_good(card, now)) => {
                    return WayOn::Retry(card.map(|card| card.id).filter(|_| named));
                }
                Err(RetryRefusal::InProgress(_) | RetryRefusal::Halted(_) | RetryRefusal::Over(_)) => {
                    answer = WayOn::Wait;
                }
                Ok(())
                | Err(RetryRefusal::CardMissing | RetryRefusal::CardSuspended | RetryRefusal::TooManyDeclines) => {}
            }
        }
        answer
    }

    /// Whether a card can be charged as far as is known.
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

/// The attempt of which nobody knows what came, and since when: since it was sent off. Meanwhile the gateway may have answered,
/// and said nothing that settles it.
pub fn unknown(purchase: &Purchase) -> Option<(&Attempt, Timestamp)> {
    let attempt = purchase.open_attempt()?;
    let is_unknown = attempt.outcome == AttemptOutcome::Unknown;
    attempt
        .confirm_sent_at
        .filter(|_| is_unknown)
        .map(|since| (attempt, since))
}
