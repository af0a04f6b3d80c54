//! Reads attempts, and whether a top-up can be retried.

use std::collections::HashMap;

use crate::domain::fault::QueryError;
use crate::primitives::actor::{AccessError, Actor, Permission};
use crate::primitives::ids::{AccountId, TopUpAttemptId, TopUpId};

use super::TopUps;
use super::model::{Attempt, Purchase, RetryFacts, RetryRefusal, next_card};
use super::requests::DECLINES_SINCE;
use super::store;

/// Requires the permission to see purchases, cards and the rule: to read the whole log, or to manage them.
pub(in crate::domain) fn require_to_see(actor: &Actor, account_id: AccountId) -> Result<(), AccessError> {
    let reads = actor.require(account_id, Permission::ReadCreditLog);
    reads.or_else(|error| actor.require(account_id, Permission::BuyCredits).map_err(|_| error))
}

impl TopUps {
    /// Returns the attempts of top-ups, oldest first. A top-up without attempts is left out.
    pub async fn attempts(
        &self,
        actor: &Actor,
        account_id: AccountId,
        ids: &[TopUpId],
    ) -> Result<HashMap<TopUpId, Vec<Attempt>>, QueryError> {
        require_to_see(actor, account_id)?;
        Ok(store::attempts_of(self.context.database.read(), account_id, ids).await?)
    }

    /// Returns attempts by id.
    pub async fn attempts_by_ids(
        &self,
        actor: &Actor,
        account_id: AccountId,
        ids: &[TopUpAttemptId],
    ) -> Result<HashMap<TopUpAttemptId, Attempt>, QueryError> {
        require_to_see(actor, account_id)?;
        Ok(store::attempts_by_ids(&self.context.database, account_id, ids).await?)
    }

    /// Returns for each of these top-ups whether `retry` would be accepted now: with the card that it would choose, or the
    /// reason of the refusal. Runs a fixed number of statements, whatever the number of top-ups.
    pub async fn can_retry(
        &self,
        actor: &Actor,
        account_id: AccountId,
        ids: &[TopUpId],
    ) -> Result<HashMap<TopUpId, Result<(), RetryRefusal>>, QueryError> {
        require_to_see(actor, account_id)?;
        let connection = self.context.database.read();
        let balances = self.context.ledger.balances(&[account_id]).await?;
        let status = balances.get(&account_id).ok_or(AccessError::NotFound)?.status;
        let top_ups = store::by_ids(&self.context.database, account_id, ids).await?;
        let mut attempts = store::attempts_of(connection, account_id, ids).await?;
        let cards = store::payment_methods(connection, account_id).await?;
        let since = self.context.clock.now().plus_millis(-DECLINES_SINCE);
        let declines = store::recent_declines(connection, account_id, since).await?;
        let open_automatic = store::open_automatic(connection, account_id).await?;
        let can_retry = top_ups.into_iter().map(|(id, top_up)| {
            let attempts = attempts.remove(&id).unwrap_or_default();
            let last = attempts.last().map(|attempt| attempt.payment_method_id);
            let card = next_card(&cards, last);
            let facts = RetryFacts {
                status,
                card,
                recent_declines: card
                    .and_then(|card| declines.get(&card.fingerprint))
                    .copied()
                    .unwrap_or(0),
                open_automatic,
            };
            let purchase = Purchase {
                top_up,
                attempts,
                refunds: Vec::new(),
            };
            (id, purchase.may_retry(&facts))
        });
        Ok(can_retry.collect())
    }
}
