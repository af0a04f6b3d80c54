//! How often each link to an export may be followed: counted where all processes see it, under the lock of the account.

use uuid::Uuid;

use super::{Ledger, store};
use crate::domain::fault::QueryError;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::AccountId;

impl Ledger {
    /// Counts that a link to an export of the account's log is followed. False when it was followed as often as it may be.
    pub async fn use_export_link(
        &self,
        account_id: AccountId,
        (link_id, expires_at): (Uuid, Timestamp),
        most: u32,
    ) -> Result<bool, QueryError> {
        self.change(account_id, move |tx, locked| {
            Box::pin(async move {
                let uses = store::export_uses(tx, account_id, link_id, locked.now).await?;
                if uses >= most {
                    return Ok(false);
                }
                store::save_export_uses(tx, account_id, link_id, (uses + 1, expires_at)).await?;
                Ok(true)
            })
        })
        .await
    }
}
