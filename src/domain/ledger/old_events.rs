//! Deletes the oldest events of accounts, which no worker has to read any more.

use crate::domain::event;
use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::AccountId;

use super::{Ledger, store};

impl Ledger {
    /// Returns the next accounts by their numbers, at most `limit`.
    pub async fn accounts_after(&self, after: Option<AccountId>, limit: u32) -> Result<Vec<AccountId>, Fault> {
        let after = after.unwrap_or(AccountId::PLATFORM);
        store::accounts_after(self.poster.database.read(), after, limit).await
    }

    /// Whether the account has events from before an instant besides its last one.
    pub async fn has_events_before(&self, account_id: AccountId, before: Timestamp) -> Result<bool, Fault> {
        let oldest = event::two_oldest(&self.poster.database, account_id).await?;
        Ok(matches!(oldest[..], [first, _] if first < before))
    }

    /// Deletes the first events of an account that happened before an instant and that all workers have read, at most `limit`, and none
    /// after the sequence `until`. Returns their number. The last event of the account stays.
    pub async fn delete_events_before(
        &self,
        account_id: AccountId,
        before: Timestamp,
        until: Option<i64>,
        limit: u32,
    ) -> Result<u64, Fault> {
        self.change_all(&[account_id], move |tx, locked| {
            Box::pin(async move {
                let Some(locked) = locked.first_mut() else {
                    return Ok(0);
                };
                let header = &mut locked.header;
                let (begin, end) = (header.events_deleted, header.event_sequence);
                let before = header.events_are_read_before().map_or(before, |read| read.min(before));
                let Some(last) = event::last_before(tx, account_id, (begin, end), before, limit).await? else {
                    return Ok(0);
                };
                let last = until.map_or(last, |until| last.min(until));
                if last <= begin {
                    return Ok(0);
                }
                event::delete_until(tx, account_id, last).await?;
                header.events_deleted = last;
                Ok::<_, Fault>((last - begin).unsigned_abs())
            })
        })
        .await
    }
}
