//! What others ask about purchases under an account's lock: the rule as it stands, whether credits are about to come, the card.

use crate::domain::database::Transaction;
use crate::domain::fault::Fault;
use crate::domain::ledger::LockedAccount;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::AccountId;

use super::TopUps;
use super::auto_top_ups::{card_of, decide};
use super::model::{AutoTopUp, DecisionOutcome, PaymentMethod, TopUpStatus};
use super::store;

const DAY: i64 = 24 * 60 * 60 * 1_000;

/// What counts against the cap, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::domain) struct CapWindow {
    /// The calendar month, in the account's zone: `2026-11`.
    pub(in crate::domain) month: String,
    /// When it ends, and the cap has room again.
    pub(in crate::domain) ends_at: Timestamp,
    /// When the first automatic attempt of the last 24 hours no longer counts, and the ceilings may have room again.
    pub(in crate::domain) ceiling_ends_at: Option<Timestamp>,
}

/// The account's rule as it stands, if it ever had one.
pub(in crate::domain) async fn locked_rule(
    tx: &Transaction,
    account_id: AccountId,
) -> Result<Option<AutoTopUp>, Fault> {
    store::find_rule(tx, account_id).await
}

/// The card that is charged where no other is named.
pub(in crate::domain) async fn default_card(
    tx: &Transaction,
    account_id: AccountId,
) -> Result<Option<PaymentMethod>, Fault> {
    let cards = store::payment_methods(tx, account_id).await?.into_iter();
    Ok(cards
        .filter(|card| card.removed_at.is_none())
        .find(|card| card.is_default))
}

/// The month that an instant falls into.
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
    /// Whether credits are about to come: a top-up is being charged that has not failed yet, by hand or by the rule, or the rule would
    /// buy now.
    ///
    /// This is what the rule's evaluation would come to at this instant, so nobody has to wait for it. Nothing is written.
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
        let card = card_of(&rule, &cards);
        let terms = store::account_terms(tx, account_id).await?;
        let turn = self.desk.at(tx, locked);
        let decision = decide(&turn, &rule, &terms, card, None).await?.decision;
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

/// Whether the automatic top-up that is open is at its first attempt.
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
