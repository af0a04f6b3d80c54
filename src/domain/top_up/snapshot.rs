//! Reads the snapshot of an account's purchases at one instant, for the code that searches for problems.

use crate::domain::database::Transaction;
use crate::domain::fault::Fault;
use crate::domain::ledger::model::AccountHeader;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::TopUpId;

use super::AutoTopUps;
use super::auto_top_ups::observe;
use super::model::{AutoTopUp, Purchase, Snapshot, TopUpSnapshot};
use super::requests::DECLINES_SINCE;
use super::store;

/// The maximum number of failed purchases in a snapshot, and of purchases in progress.
const MOST_PURCHASES: u32 = 20;
/// The maximum number of decisions in a snapshot; the newest are read.
const MOST_DECISIONS: u32 = 20;

impl AutoTopUps {
    /// Reads the snapshot of the account with these figures.
    pub(in crate::domain) async fn snapshot(
        &self,
        tx: &Transaction,
        header: &AccountHeader,
        now: Timestamp,
    ) -> Result<TopUpSnapshot, Fault> {
        let account_id = header.account_id;
        let found = store::find_rule(tx, account_id).await?;
        let rule = found.unwrap_or_else(|| AutoTopUp::new(account_id, now));
        let terms = store::account_terms(tx, account_id).await?;
        let cards = store::payment_methods(tx, account_id).await?;
        let minimum_minor = self.minimum(terms.currency);
        let seen = observe(tx, header, (&terms, minimum_minor), rule.card_of(&cards), None, now).await?;
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
        Ok(TopUpSnapshot {
            status: header.status,
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
