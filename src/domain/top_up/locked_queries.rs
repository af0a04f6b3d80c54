//! Queries about purchases under an account's lock: the current rule, whether credits are about to arrive, the card.

use crate::domain::database::Transaction;
use crate::domain::fault::Fault;
use crate::domain::ledger::LockedAccount;
use crate::primitives::clock::{DAY, Timestamp};
use crate::primitives::ids::{AccountId, TopUpId};

use super::TopUps;
use super::auto_top_ups::decide;
use super::model::{AutoTopUp, DecisionOutcome, PaymentMethod, TopUpStatus};
use super::store;

/// The period of the cap and of the ceilings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::domain) struct CapWindow {
    /// The calendar month in the account's time zone: `2026-11`.
    pub(in crate::domain) month: String,
    /// The end of the month, when the cap starts again.
    pub(in crate::domain) ends_at: Timestamp,
    /// When the first automatic attempt of the last 24 hours no longer counts, so that the ceilings may allow a purchase again.
    pub(in crate::domain) ceiling_ends_at: Option<Timestamp>,
}

/// Returns the account's rule, if one was ever set.
pub(in crate::domain) async fn locked_rule(
    tx: &Transaction,
    account_id: AccountId,
) -> Result<Option<AutoTopUp>, Fault> {
    store::find_rule(tx, account_id).await
}

/// Returns the card that is charged if no other is named.
pub(in crate::domain) async fn default_card(
    tx: &Transaction,
    account_id: AccountId,
) -> Result<Option<PaymentMethod>, Fault> {
    let cards = store::payment_methods(tx, account_id).await?.into_iter();
    Ok(cards
        .filter(|card| card.removed_at.is_none())
        .find(|card| card.is_default))
}

/// Returns which of these top-ups are open: they can still change without a request, themselves or by a refund.
pub(in crate::domain) async fn open_among(
    tx: &Transaction,
    account_id: AccountId,
    ids: &[TopUpId],
) -> Result<Vec<TopUpId>, Fault> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    store::open_among(tx, account_id, ids).await
}

/// Returns the window that contains an instant.
pub(in crate::domain) async fn cap_window(
    tx: &Transaction,
    account_id: AccountId,
    at: Timestamp,
) -> Result<CapWindow, Fault> {
    let terms = store::account_terms(tx, account_id).await?;
    let month = terms.month(at);
    let usage = store::usage_by_rule(tx, account_id, &month, at.plus_millis(-DAY), None).await?;
    Ok(CapWindow {
        ends_at: terms.month_ends_at(at),
        ceiling_ends_at: usage.first_attempt_at.map(|first| first.plus_millis(DAY)),
        month,
    })
}

impl TopUps {
    /// Returns whether credits are about to arrive: a manual or automatic top-up is being charged and has not failed yet, or
    /// the rule would buy now.
    ///
    /// This equals the result of an evaluation of the rule at this instant, so no caller has to wait for one. Nothing is
    /// written.
    pub(in crate::domain) async fn are_credits_coming(
        &self,
        tx: &Transaction,
        locked: &mut LockedAccount,
    ) -> Result<bool, Fault> {
        let account_id = locked.header.account_id;
        if store::is_first_tried_by_hand(tx, account_id).await? {
            return Ok(true);
        }
        let Some(rule) = store::find_rule(tx, account_id).await? else {
            return Ok(false);
        };
        let cards = store::payment_methods(tx, account_id).await?;
        let card = rule.card_of(&cards);
        let terms = store::account_terms(tx, account_id).await?;
        let account = self.context.at(tx, locked);
        let decision = decide(&account, &rule, &terms, card, None).await?.decision;
        match decision.outcome {
            DecisionOutcome::Triggered => Ok(true),
            DecisionOutcome::TopUpOpen => has_not_failed(tx, account_id).await,
            DecisionOutcome::AboveTrigger
            | DecisionOutcome::CoolingDown
            | DecisionOutcome::RecentlyDeclined
            | DecisionOutcome::CapReached
            | DecisionOutcome::CeilingReached
            | DecisionOutcome::AmountInvalid
            | DecisionOutcome::ConsentNeeded
            | DecisionOutcome::Paused
            | DecisionOutcome::NoPaymentMethod
            | DecisionOutcome::AccountFrozen
            | DecisionOutcome::Off => Ok(false),
        }
    }
}

/// Returns whether the open automatic top-up is at its first attempt.
async fn has_not_failed(tx: &Transaction, account_id: AccountId) -> Result<bool, Fault> {
    let Some(id) = store::open_automatic(tx, account_id).await? else {
        return Ok(false);
    };
    let purchase = store::purchase(tx, account_id, id).await?;
    Ok(purchase.is_some_and(|purchase| {
        let is_charged = matches!(purchase.top_up.status, TopUpStatus::Pending | TopUpStatus::Processing);
        is_charged && purchase.attempts.len() == 1
    }))
}
