//! Cards: set up in the browser, stored by the gateway, named here.
//!
//! This is the only module that calls the gateway while a caller waits: a card is needed at once or not at all. No transaction
//! is open during a call, and the adapter limits the time of each call.

use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;

use crate::domain::fault::{InvalidInput, QueryError, Refused, UseCaseError};
use crate::domain::ledger::model::AccountStatus;
use crate::primitives::actor::{Actor, Permission};
use crate::primitives::ids::{AccountId, GlobalId, PaymentMethodId};

use super::attempt_queries::require_to_see;
use super::context::{AccountTransaction, TopUpContext};
use super::error::PaymentMethodRefusal;
use super::gateway::{Card, CardSetup, GatewayError};
use super::model::{
    AutoTopUp, CardTrial, PaymentMethod, PaymentMethodStatus, TrialDecision, TrialKind, decide_trial, trials_count_from,
};
use super::store;

/// The longest card id of a gateway, in characters.
const MAX_TOKEN: usize = 255;
/// The maximum number of cards per account: more than a team needs, and too few to test stolen cards.
const MAX_PAYMENT_METHODS: usize = 20;

/// Use cases about cards.
#[derive(Clone, Debug)]
pub struct PaymentMethods {
    context: TopUpContext,
}

impl PaymentMethods {
    /// Creates the use cases.
    pub fn new(context: TopUpContext) -> Self {
        Self { context }
    }

    /// Returns the account's cards, oldest first.
    pub async fn list(&self, actor: &Actor, account_id: AccountId) -> Result<Vec<PaymentMethod>, QueryError> {
        require_to_see(actor, account_id)?;
        let cards = store::payment_methods(self.context.database.read(), account_id).await?;
        Ok(cards.into_iter().filter(|card| card.removed_at.is_none()).collect())
    }

    /// Returns cards by id, including removed ones.
    pub async fn by_ids(
        &self,
        actor: &Actor,
        account_id: AccountId,
        ids: &[PaymentMethodId],
    ) -> Result<HashMap<PaymentMethodId, PaymentMethod>, QueryError> {
        require_to_see(actor, account_id)?;
        Ok(store::payment_methods_by_ids(&self.context.database, account_id, ids).await?)
    }

    /// Starts to collect a card in the browser. The browser sends card data directly to the gateway, never to this server.
    pub async fn start_setup(
        &self,
        actor: &Actor,
        account_id: AccountId,
    ) -> Result<CardSetup, UseCaseError<PaymentMethodRefusal>> {
        actor.require(account_id, Permission::BuyCredits)?;
        let form = Uuid::new_v4().to_string();
        self.count_trial(actor, account_id, (TrialKind::Form, form)).await?;
        let customer_id = self.customer(account_id).await?;
        Ok(self.context.gateway.start_setup(customer_id).await?)
    }

    /// Adds a card that the browser has sent to the gateway. Adding the same card again returns the same payment method.
    pub async fn add(
        &self,
        actor: &Actor,
        account_id: AccountId,
        token: String,
        make_default: bool,
    ) -> Result<PaymentMethod, UseCaseError<PaymentMethodRefusal>> {
        actor.require(account_id, Permission::BuyCredits)?;
        let is_plain = |char: char| char.is_ascii_graphic();
        if token.is_empty() || token.len() > MAX_TOKEN || !token.chars().all(is_plain) {
            let message = "must be the id of a payment method from the gateway's browser library";
            return Err(InvalidInput::new("gatewayToken", message).into());
        }
        // The trial is counted before the gateway is asked: the response is what an attacker who tests cards wants.
        self.count_trial(actor, account_id, (TrialKind::Card, token.clone()))
            .await?;
        let customer_id = self.customer(account_id).await?;
        let card = Arc::new(self.context.gateway.keep_card(customer_id, token).await?);
        let kept = Arc::clone(&card);
        let added = self.context.transact(account_id, move |account| {
            let card = Arc::clone(&card);
            Box::pin(async move { add(account, &card, make_default).await })
        });
        let added = added.await;
        // The limit can only be checked under the lock, and the gateway has stored the card by then.
        if matches!(added, Err(Refused(PaymentMethodRefusal::TooMany))) {
            self.forget(kept.id.clone()).await;
        }
        added
    }

    /// Counts a card or a form that a caller tries. Refuses if there were too many.
    async fn count_trial(
        &self,
        actor: &Actor,
        account_id: AccountId,
        (kind, subject): (TrialKind, String),
    ) -> Result<(), UseCaseError<PaymentMethodRefusal>> {
        let actor_id = match actor {
            Actor::Member { member_id, .. } => member_id.uuid(),
            Actor::ApiKey { api_key_id, .. } => api_key_id.uuid(),
            Actor::System => return Ok(()),
        };
        self.context
            .transact(account_id, move |account| {
                let trial = CardTrial {
                    kind,
                    subject: subject.clone(),
                    actor_id,
                    tried_at: account.now,
                };
                Box::pin(async move {
                    let counting =
                        store::card_trials_since(account.tx, account.account_id, trials_count_from(account.now))
                            .await?;
                    match decide_trial(&counting, &trial) {
                        TrialDecision::IsKnown => Ok(()),
                        TrialDecision::TooMany => Err(Refused(PaymentMethodRefusal::TooManyTried)),
                        TrialDecision::Counts => {
                            store::save_card_trial(account.tx, account.account_id, &trial).await?;
                            Ok(())
                        }
                    }
                })
            })
            .await
    }

    async fn forget(&self, gateway_card_id: String) {
        if let Err(error) = self.context.gateway.forget_card(gateway_card_id).await {
            tracing::warn!(%error, "the payment gateway still stores a card that is no longer needed");
        }
    }

    /// Sets the card that is charged if no other is named.
    pub async fn set_default(
        &self,
        actor: &Actor,
        account_id: AccountId,
        id: PaymentMethodId,
    ) -> Result<PaymentMethod, UseCaseError<PaymentMethodRefusal>> {
        actor.require(account_id, Permission::BuyCredits)?;
        self.context
            .transact(account_id, move |account| {
                Box::pin(async move {
                    let card = present(account, id).await?;
                    account.locked.append_account_updated(account.tx).await?;
                    make_default(account, card).await
                })
            })
            .await
    }

    /// Removes a card. Refuses while the card is being charged.
    pub async fn remove(
        &self,
        actor: &Actor,
        account_id: AccountId,
        id: PaymentMethodId,
    ) -> Result<PaymentMethod, UseCaseError<PaymentMethodRefusal>> {
        actor.require(account_id, Permission::BuyCredits)?;
        let removed = self
            .context
            .transact(account_id, move |account| {
                Box::pin(async move { remove(account, id).await })
            })
            .await?;
        self.forget(removed.gateway_card_id.clone()).await;
        Ok(removed)
    }

    /// Returns the gateway's id of the account, which is created on first use.
    async fn customer(&self, account_id: AccountId) -> Result<String, UseCaseError<PaymentMethodRefusal>> {
        let gateway = self.context.gateway.name();
        if let Some(known) = store::customer(self.context.database.read(), account_id, gateway).await? {
            return Ok(known);
        }
        let reference = GlobalId::account(account_id).to_string();
        let made = self
            .context
            .gateway
            .create_customer(format!("customer:{reference}"), reference)
            .await?;
        self.context
            .transact(account_id, move |account| {
                let made = made.clone();
                Box::pin(async move {
                    if account.locked.header.status == AccountStatus::Closed {
                        return Err(Refused(PaymentMethodRefusal::Closed));
                    }
                    let named = (account.gateway_name(), made.as_str());
                    store::insert_customer(account.tx, account.account_id, named, account.now).await?;
                    let known = store::customer(account.tx, account.account_id, account.gateway_name()).await?;
                    Ok(known.unwrap_or(made))
                })
            })
            .await
    }
}

impl From<GatewayError> for UseCaseError<PaymentMethodRefusal> {
    fn from(error: GatewayError) -> Self {
        tracing::warn!(%error, "the payment gateway did not set up a card");
        Refused(match error {
            GatewayError::Unknown(_) => PaymentMethodRefusal::GatewayUnavailable,
            GatewayError::Refused { .. } | GatewayError::NotFound => PaymentMethodRefusal::Refused,
        })
    }
}

async fn present(
    account: &AccountTransaction<'_>,
    id: PaymentMethodId,
) -> Result<PaymentMethod, UseCaseError<PaymentMethodRefusal>> {
    let cards = store::payment_methods(account.tx, account.account_id).await?;
    let found = cards
        .into_iter()
        .find(|card| card.id == id && card.removed_at.is_none());
    found.ok_or(Refused(PaymentMethodRefusal::NotFound))
}

async fn add(
    account: &mut AccountTransaction<'_>,
    card: &Card,
    as_default: bool,
) -> Result<PaymentMethod, UseCaseError<PaymentMethodRefusal>> {
    if account.locked.header.status == AccountStatus::Closed {
        return Err(Refused(PaymentMethodRefusal::Closed));
    }
    let cards = store::payment_methods(account.tx, account.account_id).await?;
    let known = cards.iter().find(|known| known.gateway_card_id == card.id);
    let present = cards.iter().filter(|known| known.removed_at.is_none());
    if known.is_none_or(|known| known.removed_at.is_some()) && present.count() >= MAX_PAYMENT_METHODS {
        return Err(Refused(PaymentMethodRefusal::TooMany));
    }
    // The same card added again is not a different card: a decision of the bank about it remains.
    let suspension = cards
        .iter()
        .filter(|known| known.fingerprint == card.fingerprint)
        .filter_map(|known| known.suspension)
        .max();
    let id = match known {
        Some(known) => known.id,
        None => PaymentMethodId::from_uuid(account.ids.next_uuid()),
    };
    let method = PaymentMethod {
        id,
        account_id: account.account_id,
        gateway_card_id: card.id.clone(),
        brand: card.brand.clone(),
        last4: card.last4.clone(),
        expiry_month: card.expiry_month,
        expiry_year: card.expiry_year,
        fingerprint: card.fingerprint.clone(),
        suspension,
        is_default: known.is_some_and(|known| known.is_default && known.removed_at.is_none()),
        added_at: known.map_or(account.now, |known| known.added_at),
        last_declined_at: known.and_then(|known| known.last_declined_at),
        removed_at: None,
    };
    store::save_payment_method(account.tx, &method).await?;
    account.locked.append_account_updated(account.tx).await?;
    let is_first = !cards.iter().any(|known| known.is_default && known.removed_at.is_none());
    if as_default || is_first {
        make_default(account, method).await
    } else {
        Ok(method)
    }
}

/// The rule also changes to the default card, unless it has its own card that it can still charge.
async fn make_default(
    account: &mut AccountTransaction<'_>,
    card: PaymentMethod,
) -> Result<PaymentMethod, UseCaseError<PaymentMethodRefusal>> {
    let cards = store::payment_methods(account.tx, account.account_id).await?;
    let old = cards.iter().find(|known| known.is_default && known.id != card.id);
    // The old card is written first: there may be only one default card at a time.
    if let Some(old) = old {
        let mut old = old.clone();
        old.is_default = false;
        store::save_payment_method(account.tx, &old).await?;
    }
    let mut card = card;
    card.is_default = true;
    store::save_payment_method(account.tx, &card).await?;
    let before = account.rule().await?;
    let charged = cards.iter().find(|known| Some(known.id) == before.payment_method_id);
    let keeps_own = charged.is_some_and(|charged| {
        charged.may_be_charged_again() && old.is_none_or(|old| old.id != charged.id) && before.pause.is_none()
    });
    if before.is_enabled && !keeps_own {
        change_card_of_rule(account, &before, &card).await?;
    }
    Ok(card)
}

async fn change_card_of_rule(
    account: &mut AccountTransaction<'_>,
    before: &AutoTopUp,
    card: &PaymentMethod,
) -> Result<(), UseCaseError<PaymentMethodRefusal>> {
    let mut rule = before.clone();
    rule.payment_method_id = Some(card.id);
    rule.card_changed(card, account.now);
    if rule.version == before.version && rule.payment_method_id != before.payment_method_id {
        rule.version = rule.version.saturating_add(1);
    }
    account.keep_rule(before, &rule).await?;
    Ok(())
}

async fn remove(
    account: &mut AccountTransaction<'_>,
    id: PaymentMethodId,
) -> Result<PaymentMethod, UseCaseError<PaymentMethodRefusal>> {
    let mut card = present(account, id).await?;
    if store::is_charged(account.tx, account.account_id, id).await? {
        return Err(Refused(PaymentMethodRefusal::InUse));
    }
    card.removed_at = Some(account.now);
    card.is_default = false;
    store::save_payment_method(account.tx, &card).await?;
    let before = account.rule().await?;
    if before.payment_method_id == Some(id) {
        let cards = store::payment_methods(account.tx, account.account_id).await?;
        // The consent covers no other card. Only a card that replaces a refused card is charged instead.
        let is_refused = before.is_paused_by_card() && before.paused_fingerprint.as_ref() == Some(&card.fingerprint);
        let is_good = |other: &&PaymentMethod| {
            other.is_default
                && other.may_be_charged_again()
                && other.status(account.now) != PaymentMethodStatus::Expired
        };
        let other = cards.iter().find(is_good).filter(|_| is_refused);
        let mut rule = before.clone();
        rule.payment_method_id = other.map(|card| card.id);
        if let Some(other) = other {
            rule.card_changed(other, account.now);
        } else {
            rule.look_again(account.now);
        }
        rule.version = before.version.saturating_add(1);
        rule.updated_at = account.now;
        account.keep_rule(&before, &rule).await?;
    }
    account.locked.append_account_updated(account.tx).await?;
    Ok(card)
}
