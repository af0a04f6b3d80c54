//! The auto top-up rule of an account: members set it, Ledgerbell evaluates it.
//!
//! The rule is evaluated periodically, and in three cases: available credits fall to its trigger, a booking is refused because
//! of missing credits, or a change of the rule requires it. Each evaluation decides on the state under the account's lock. It
//! starts a top-up in the same transaction or none, and stores the reason.

use std::collections::HashMap;
use std::sync::Arc;

use rust_decimal::Decimal;
use tracing::Instrument as _;

use crate::domain::database::{Transaction, records};
use crate::domain::event::EventContent;
use crate::domain::fault::{Fault, InvalidInput, QueryError, Refused, UseCaseError};
use crate::domain::ledger::model::{AccountHeader, AccountStatus};
use crate::primitives::actor::{AccessError, Actor, Cause, Permission};
use crate::primitives::clock::{DAY, HOUR, Timestamp};
use crate::primitives::ids::{AccountId, MemberId, PaymentMethodId, TopUpDecisionId, TopUpId};
use crate::primitives::money::{Currency, Money};
use crate::primitives::page::{Page, PageRequest};
use crate::primitives::trace;

use super::AccountTerms;
use super::attempt_queries::require_to_see;
use super::context::{AccountTransaction, TopUpContext};
use super::error::{AutoTopUpRefusal, TopUpRefusal};
use super::model::{
    AutoTopUp, AutoTopUpPatch, AutoTopUpState, COOLDOWN_MILLIS, ChargeFacts, Decision, DecisionOutcome, NewPurchase,
    PatchFacts, PatchRefusal, PauseReason, PaymentMethod, Purchase, ShownPauseReason, Snapshot, StoredDecision, TopUp,
    TopUpOrigin,
};
use super::requests::DECLINES_SINCE;
use super::store;

/// The position of a decision in a list: when it was first made, and its id.
pub type DecisionPosition = (Timestamp, TopUpDecisionId);

/// The rule with its current state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutoTopUpView {
    /// The settings.
    pub rule: AutoTopUp,
    /// Whether the rule starts top-ups.
    pub state: AutoTopUpState,
    /// Why it is paused.
    pub pause_reason: Option<ShownPauseReason>,
    /// The money that it has spent this month.
    pub spent: Money,
    /// The end of the month.
    pub cap_resets_at: Timestamp,
    /// The card that it charges.
    pub card: Option<PaymentMethod>,
}

/// A requested change of the rule.
#[derive(Clone, Debug, Default)]
pub struct AutoTopUpChange {
    /// The settings, without the cap.
    pub patch: AutoTopUpPatch,
    /// The cap in the currency's major unit; `Some(None)` removes it.
    pub monthly_cap: Option<Option<Decimal>>,
    /// A different card.
    pub payment_method_id: Option<PaymentMethodId>,
    /// The member on whose behalf an API key acts.
    pub acting: Option<MemberId>,
}

/// Use cases about the rule.
#[derive(Clone, Debug)]
pub struct AutoTopUps {
    context: TopUpContext,
}

impl AutoTopUps {
    /// Creates the use cases.
    pub fn new(context: TopUpContext) -> Self {
        Self { context }
    }

    /// Returns the smallest amount that the gateway charges, in minor units.
    pub(super) fn minimum(&self, currency: Currency) -> i64 {
        self.context.gateway.minimum(currency)
    }

    /// Returns the account's rule and its current state.
    pub async fn view(&self, actor: &Actor, account_id: AccountId) -> Result<AutoTopUpView, QueryError> {
        require_to_see(actor, account_id)?;
        let connection = self.context.database.read();
        let balances = self.context.ledger.balances(&[account_id]).await?;
        let balance = balances.get(&account_id).ok_or(AccessError::NotFound)?;
        let now = self.context.clock.now();
        let found = store::find_rule(connection, account_id).await?;
        let rule = found.unwrap_or_else(|| AutoTopUp::new(account_id, now));
        let terms = store::account_terms(connection, account_id).await?;
        let cards = store::payment_methods(connection, account_id).await?;
        let card = rule.card_of(&cards).cloned();
        let facts = ChargeFacts {
            status: balance.status,
            card: card.as_ref(),
            recent_declines: store::declines_of(
                connection,
                account_id,
                card.as_ref(),
                now.plus_millis(-DECLINES_SINCE),
            )
            .await?,
            credit_price: terms.credit_price,
            currency: terms.currency,
            minimum_minor: self.minimum(terms.currency),
        };
        let (state, pause_reason) = AutoTopUp::shown(rule.may_charge(&facts, now));
        let month = terms.month(now);
        let usage = store::usage_by_rule(connection, account_id, &month, now.plus_millis(-DAY), None).await?;
        Ok(AutoTopUpView {
            state,
            pause_reason,
            spent: terms.money(usage.spent_minor),
            cap_resets_at: terms.month_ends_at(now),
            rule,
            card,
        })
    }

    /// Returns the price of the account's credits, and the smallest amount that the gateway charges in its currency. The caller
    /// checks the permission.
    pub(in crate::domain) async fn terms(&self, account_id: AccountId) -> Result<(AccountTerms, i64), Fault> {
        let terms = store::account_terms(self.context.database.read(), account_id).await?;
        Ok((terms, self.context.gateway.minimum(terms.currency)))
    }

    /// Changes the rule. A change that allows more spending needs consent.
    pub async fn update(
        &self,
        actor: &Actor,
        account_id: AccountId,
        change: AutoTopUpChange,
    ) -> Result<AutoTopUpView, UseCaseError<AutoTopUpRefusal>> {
        actor.require(account_id, Permission::BuyCredits)?;
        let asked = Arc::new((actor.clone(), change));
        self.context
            .transact(account_id, move |account| {
                let asked = Arc::clone(&asked);
                Box::pin(async move { update(account, &asked.0, &asked.1).await })
            })
            .await?;
        self.shown(account_id).await
    }

    /// Ends a pause.
    pub async fn resume(
        &self,
        actor: &Actor,
        account_id: AccountId,
    ) -> Result<AutoTopUpView, UseCaseError<AutoTopUpRefusal>> {
        actor.require(account_id, Permission::BuyCredits)?;
        self.context
            .transact(account_id, move |account| {
                Box::pin(async move { resume(account).await })
            })
            .await?;
        self.shown(account_id).await
    }

    async fn shown(&self, account_id: AccountId) -> Result<AutoTopUpView, UseCaseError<AutoTopUpRefusal>> {
        self.view(&Actor::System, account_id).await.map_err(QueryError::widen)
    }

    /// Returns one page of the decisions of the rule, newest first.
    pub async fn decisions(
        &self,
        actor: &Actor,
        account_id: AccountId,
        request: &PageRequest<DecisionPosition>,
    ) -> Result<Page<StoredDecision, DecisionPosition>, QueryError> {
        require_to_see(actor, account_id)?;
        let mut keyset = store::decisions_keyset();
        keyset.turn_to(true, request, |(at, id)| (at.millis(), id.uuid()));
        let scan = keyset.scan(&self.context.database, account_id, request.limit).await?;
        let position = |(millis, id)| (Timestamp::from_millis(millis), TopUpDecisionId::from_uuid(id));
        Ok(scan.into_page(request, position, records::record)?)
    }

    /// Returns decisions by id.
    pub async fn decisions_by_ids(
        &self,
        actor: &Actor,
        account_id: AccountId,
        ids: &[TopUpDecisionId],
    ) -> Result<HashMap<TopUpDecisionId, StoredDecision>, QueryError> {
        require_to_see(actor, account_id)?;
        Ok(store::decisions_by_ids(&self.context.database, account_id, ids).await?)
    }

    /// Evaluates up to `limit` rules: of accounts that are low or lacked credits, and rules whose scheduled time has come.
    /// Returns the number of rules.
    pub async fn sweep(&self, limit: u32) -> Result<usize, Fault> {
        let short = self.context.ledger.short_accounts().take();
        let mut accounts = self.context.ledger.low_accounts(limit).await?;
        accounts.extend(store::due_rules(&self.context.database, self.context.clock.now(), limit).await?);
        accounts.retain(|account_id| !short.contains(account_id));
        accounts.sort_unstable();
        accounts.dedup();
        let found = short.len() + accounts.len();
        let hints = short.into_iter().map(|id| (id, true));
        for (account_id, was_short) in hints.chain(accounts.into_iter().map(|id| (id, false))) {
            let span = trace::job("evaluate auto top-up", None);
            if let Err(fault) = self.evaluate(account_id, was_short).instrument(span).await {
                tracing::warn!(account = account_id.number(), %fault, "a rule was not evaluated");
            }
        }
        Ok(found)
    }

    /// Evaluates the account's rule now. `was_short`: a booking was refused because of missing credits.
    pub async fn evaluate(&self, account_id: AccountId, was_short: bool) -> Result<(), Fault> {
        let evaluated = self.context.transact(account_id, move |account| {
            Box::pin(async move { evaluate(account, was_short).await })
        });
        evaluated.await.map_err(QueryError::into_fault)
    }

    /// Makes the next attempt of up to `limit` automatic top-ups whose time has come. Cancels those that the rule would not
    /// start now. Returns the number of top-ups that it found.
    pub async fn try_again(&self, limit: u32) -> Result<usize, Fault> {
        let due = store::due_again(&self.context.database, self.context.clock.now(), limit).await?;
        let found = due.len();
        for (account_id, top_up_id) in due {
            let tried = self.context.transact(account_id, move |account| {
                Box::pin(async move { try_again(account, top_up_id).await })
            });
            if let Err(error) = tried.instrument(trace::job("retry auto top-up", None)).await {
                let fault = error.into_fault();
                tracing::warn!(top_up = %top_up_id.global(account_id), %fault, "an automatic top-up was not retried");
            }
        }
        Ok(found)
    }
}

async fn update(
    account: &mut AccountTransaction<'_>,
    actor: &Actor,
    change: &AutoTopUpChange,
) -> Result<(), UseCaseError<AutoTopUpRefusal>> {
    account
        .require_acting(change.acting)
        .await
        .map_err(|error| match error {
            Refused(TopUpRefusal::MemberNotFound) => Refused(AutoTopUpRefusal::MemberNotFound),
            Refused(TopUpRefusal::MemberRemoved) => Refused(AutoTopUpRefusal::MemberRemoved),
            UseCaseError::Fault(fault) => fault.into(),
            other => Fault::Internal(format!("a member was refused: {other}")).into(),
        })?;
    if account.locked.header.status == AccountStatus::Closed {
        return Err(Refused(AutoTopUpRefusal::Closed));
    }
    let terms = store::account_terms(account.tx, account.account_id).await?;
    let mut patch = change.patch.clone();
    if let Some(cap) = change.monthly_cap {
        let minor = cap.map(|cap| terms.minor_units(cap).filter(|minor| *minor >= 0));
        let invalid = || {
            InvalidInput::new(
                "monthlyCap",
                format!("must be an amount of {}, 0 or more", terms.currency),
            )
        };
        patch.monthly_cap_minor = Some(match minor {
            None => None,
            Some(minor) => Some(minor.ok_or_else(invalid)?),
        });
    }
    let before = account.rule().await?;
    let cards = store::payment_methods(account.tx, account.account_id).await?;
    let present = || cards.iter().filter(|card| card.removed_at.is_none());
    let card = match change.payment_method_id {
        Some(id) => Some(
            present()
                .find(|card| card.id == id)
                .ok_or(Refused(AutoTopUpRefusal::CardNotFound))?,
        ),
        // A card other than the rule's own card is charged only after consent.
        None => before.card_of(&cards).or_else(|| {
            let may_choose = !before.is_enabled || patch.consent;
            present().find(|card| card.is_default && may_choose)
        }),
    };
    let facts = PatchFacts {
        card,
        credit_price: terms.credit_price,
        currency: terms.currency,
        minimum_minor: account.minimum(terms.currency),
        by: actor.cause(change.acting),
    };
    let after = before
        .patched(&patch, facts, account.now)
        .map_err(|refusal| match refusal {
            PatchRefusal::VersionConflict => Refused(AutoTopUpRefusal::VersionConflict(Box::new(before.clone()))),
            PatchRefusal::Invalid { field, message } => InvalidInput { field, message }.into(),
            PatchRefusal::CardMissing => Refused(AutoTopUpRefusal::CardMissing),
            PatchRefusal::CardSuspended => Refused(AutoTopUpRefusal::CardSuspended),
            PatchRefusal::ConsentRequired => Refused(AutoTopUpRefusal::ConsentRequired),
            PatchRefusal::CapTooLow => Refused(AutoTopUpRefusal::CapTooLow),
        })?;
    Ok(account.keep_rule(&before, &after).await?)
}

async fn resume(account: &mut AccountTransaction<'_>) -> Result<(), UseCaseError<AutoTopUpRefusal>> {
    let before = account.rule().await?;
    if account.locked.header.status == AccountStatus::Closed {
        return Err(Refused(AutoTopUpRefusal::Closed));
    }
    if before.pause.is_none() {
        return Ok(());
    }
    if before.pause == Some(PauseReason::ConsentNeeded) {
        return Err(Refused(AutoTopUpRefusal::ConsentRequired));
    }
    let cards = store::payment_methods(account.tx, account.account_id).await?;
    let card = before.card_of(&cards).ok_or(Refused(AutoTopUpRefusal::CardMissing))?;
    if !card.may_be_charged_again() {
        return Err(Refused(AutoTopUpRefusal::CardSuspended));
    }
    let mut after = before.clone();
    after.resume(account.now);
    Ok(account.keep_rule(&before, &after).await?)
}

/// Returns the current decision of the rule, computed without the top-up `except`.
pub(super) async fn decide(
    account: &AccountTransaction<'_>,
    rule: &AutoTopUp,
    terms: &AccountTerms,
    card: Option<&PaymentMethod>,
    except: Option<TopUpId>,
) -> Result<Decided, Fault> {
    let minimum_minor = account.minimum(terms.currency);
    let seen = observe(
        account.tx,
        &account.locked.header,
        (terms, minimum_minor),
        card,
        except,
        account.now,
    )
    .await?;
    let decision = rule.evaluate(&seen, account.now);
    let until = match decision.outcome {
        DecisionOutcome::CapReached => Some(terms.month_ends_at(account.now)),
        DecisionOutcome::CeilingReached => seen.ceiling_ends_at,
        DecisionOutcome::RecentlyDeclined => rule.declined_until(&seen),
        _ => None,
    };
    Ok(Decided {
        decision,
        spent_minor: seen.spent_minor,
        until,
    })
}

/// The result of an evaluation, with the state that it used.
pub(super) struct Decided {
    pub(super) decision: Decision,
    /// The sum of this month's automatic attempts that are not known to be unpaid.
    spent_minor: i64,
    /// When the obstacle ends, if that is known.
    until: Option<Timestamp>,
}

/// Reads everything that an evaluation depends on, within the transaction.
pub(super) async fn observe<'a>(
    tx: &Transaction,
    header: &AccountHeader,
    (terms, minimum_minor): (&AccountTerms, i64),
    card: Option<&'a PaymentMethod>,
    except: Option<TopUpId>,
    now: Timestamp,
) -> Result<Snapshot<'a>, Fault> {
    let account_id = header.account_id;
    let month = terms.month(now);
    let usage = store::usage_by_rule(tx, account_id, &month, now.plus_millis(-DAY), except).await?;
    let open = store::open_automatic(tx, account_id).await?;
    let has_open = open.is_some_and(|open| Some(open) != except) || store::any_charged_by_hand(tx, account_id).await?;
    let facts = ChargeFacts {
        status: header.status,
        card,
        recent_declines: store::declines_of(tx, account_id, card, now.plus_millis(-DECLINES_SINCE)).await?,
        credit_price: terms.credit_price,
        currency: terms.currency,
        minimum_minor,
    };
    Ok(Snapshot {
        facts,
        available: header.available(),
        has_open,
        last_success_at: store::last_success_at(tx, account_id).await?,
        spent_minor: usage.spent_minor,
        recent_attempts: usage.recent_attempts,
        recent_credits: usage.recent_credits,
        ceiling_ends_at: usage.first_attempt_at.map(|at| at.plus_millis(DAY)),
    })
}

async fn evaluate(account: &mut AccountTransaction<'_>, was_short: bool) -> Result<(), QueryError> {
    account.locked.looked();
    let Some(before) = store::find_rule(account.tx, account.account_id).await? else {
        return Ok(());
    };
    let mut rule = before.clone();
    if was_short && rule.is_enabled {
        rule.refused_at = Some(account.now);
    }
    let terms = store::account_terms(account.tx, account.account_id).await?;
    let cards = store::payment_methods(account.tx, account.account_id).await?;
    let card = rule.card_of(&cards);
    let Decided { decision, until, .. } = decide(account, &rule, &terms, card, None).await?;
    match decision.outcome {
        DecisionOutcome::AmountInvalid => rule.pause(PauseReason::AmountInvalid, None, account.now),
        DecisionOutcome::ConsentNeeded => rule.pause(PauseReason::ConsentNeeded, None, account.now),
        _ => {}
    }
    let mut started = None;
    if let (Some((credits, price)), Some(card)) = (decision.purchase, card) {
        let id = TopUpId::from_uuid(account.ids.next_uuid());
        let top_up = TopUp::new(
            (account.account_id, id),
            TopUpOrigin::Auto,
            (credits, price),
            Cause::System,
            account.now,
        );
        let attempt = NewPurchase {
            attempt_id: account.attempt_id(),
            card,
            month: Some(terms.month(account.now)),
            actor: Cause::System,
        };
        let purchase = Purchase::new(top_up, attempt);
        account.close_failures(&purchase).await?;
        account.keep(None, purchase, &[]).await?;
        started = Some(id);
    }
    let same_since = remember(account, &rule, &decision, (was_short, started)).await?;
    if decision.is_capped || decision.outcome == DecisionOutcome::CeilingReached {
        // Reported once a month: the same state is news again in the next month.
        let is_reported = same_since.is_some_and(|since| terms.month(since) == terms.month(account.now));
        if !is_reported {
            let limit = decision.limit();
            account
                .locked
                .append(account.tx, EventContent::CapReached { limit })
                .await?;
        }
    }
    let is_same = same_since.is_some();
    match decision.outcome {
        DecisionOutcome::Off => rule.due_at = None,
        DecisionOutcome::AboveTrigger => {
            rule.repeated = 0;
            rule.due_at = Some(account.now.plus_millis(HOUR));
        }
        DecisionOutcome::CoolingDown => rule.due_at = Some(account.now.plus_millis(COOLDOWN_MILLIS)),
        _ => rule.back_off(is_same, until, account.now),
    }
    account.keep_rule(&before, &rule).await?;
    Ok(())
}

/// Stores a decision. If the result is the same as before, updates the last decision, and returns when that was last made.
async fn remember(
    account: &mut AccountTransaction<'_>,
    rule: &AutoTopUp,
    decision: &Decision,
    (was_short, started): (bool, Option<TopUpId>),
) -> Result<Option<Timestamp>, QueryError> {
    let outcome = decision.outcome;
    if outcome == DecisionOutcome::Off || (outcome == DecisionOutcome::AboveTrigger && !was_short) {
        return Ok(None);
    }
    let available = account.locked.header.available();
    let last = store::last_decision(account.tx, account.account_id).await?;
    let is_same = |last: &StoredDecision| {
        started.is_none()
            && (last.outcome, last.trigger) == (outcome, rule.trigger)
            && last.decided_at >= rule.updated_at
    };
    let same = last.filter(is_same);
    let same_since = same.as_ref().map(|same| same.decided_at);
    let (id, created_at) = match same {
        Some(same) => (same.id, same.created_at),
        None => (TopUpDecisionId::from_uuid(account.ids.next_uuid()), account.now),
    };
    let stored = StoredDecision {
        id,
        account_id: account.account_id,
        created_at,
        decided_at: account.now,
        outcome,
        available,
        trigger: rule.trigger,
        message: decision.message(rule, available),
        top_up_id: started,
    };
    store::insert_decision(account.tx, &stored).await?;
    Ok(same_since)
}

async fn try_again(account: &mut AccountTransaction<'_>, top_up_id: TopUpId) -> Result<(), QueryError> {
    let Some(before) = store::purchase(account.tx, account.account_id, top_up_id).await? else {
        return Ok(());
    };
    if !before.is_due_again(account.now) {
        return Ok(());
    }
    let rule = account.rule().await?;
    let terms = store::account_terms(account.tx, account.account_id).await?;
    let cards = store::payment_methods(account.tx, account.account_id).await?;
    let card = rule.card_of(&cards);
    let Decided {
        decision,
        spent_minor,
        until,
    } = decide(account, &rule, &terms, card, Some(top_up_id)).await?;
    let fits = rule
        .monthly_cap_minor
        .is_none_or(|cap| spent_minor.saturating_add(before.top_up.price.minor) <= cap);
    let mut after = before.clone();
    match card.filter(|_| decision.outcome == DecisionOutcome::Triggered && fits) {
        Some(card) => {
            let attempt = NewPurchase {
                attempt_id: account.attempt_id(),
                card,
                month: Some(terms.month(account.now)),
                actor: Cause::System,
            };
            after.try_again(attempt, account.now);
        }
        None if decision.outcome == DecisionOutcome::RecentlyDeclined => {
            after.postpone(until.unwrap_or(account.now), account.now);
        }
        None => after.close_uncharged(account.now),
    }
    account.keep(Some(&before), after, &[]).await?;
    Ok(())
}
