//! Idempotency keys that have expired: their results are deleted, and they stay used.
//!
//! An account's keys are read in the order of their primary key, without its lock. Keys of clients are random, so old ones stand among
//! new ones. Only where some are old is the account locked, for one update of at most [`ROWS`] keys.

use std::sync::Arc;

use super::{ROWS, Retention};
use crate::domain::fault::Fault;
use crate::domain::ledger::KeyPosition;
use crate::domain::top_up::open_among;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, TopUpId};

impl Retention {
    /// Lets keys of an account expire that were used before an instant, from `position` on, which it moves. Each read of keys counts as one
    /// of `left` steps, which it counts down.
    pub(super) async fn expire_keys(
        &self,
        account_id: AccountId,
        before: Timestamp,
        position: &mut Option<KeyPosition>,
        left: &mut u32,
    ) -> Result<u64, Fault> {
        let mut expired = 0;
        while *left > 0 {
            *left -= 1;
            let keys = self
                .ledger
                .keys_after(account_id, position.as_ref(), before, ROWS)
                .await?;
            let Some(last) = keys.last() else { break };
            let until = last.position();
            if keys.iter().any(|key| key.is_old) {
                let old = keys.iter().filter(|key| key.is_old);
                let top_ups = old.filter_map(|key| key.top_up_id).collect();
                expired += self
                    .expire(account_id, before, (position.clone(), until.clone()), top_ups)
                    .await?;
            }
            *position = Some(until);
            if u32::try_from(keys.len()).is_ok_and(|read| read < ROWS) {
                break;
            }
        }
        Ok(expired)
    }

    async fn expire(
        &self,
        account_id: AccountId,
        before: Timestamp,
        range: (Option<KeyPosition>, KeyPosition),
        top_ups: Vec<TopUpId>,
    ) -> Result<u64, Fault> {
        let asked = Arc::new((range, top_ups));
        self.ledger
            .change_all(&[account_id], move |tx, locked| {
                let asked = Arc::clone(&asked);
                Box::pin(async move {
                    let Some(locked) = locked.first() else { return Ok(0) };
                    let ((after, until), top_ups) = &*asked;
                    let open = open_among(tx, account_id, top_ups).await?;
                    locked.expire_keys(tx, (after.as_ref(), until), before, &open).await
                })
            })
            .await
    }
}
