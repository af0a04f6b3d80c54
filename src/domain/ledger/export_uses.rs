//! Counts the uses of each link to an export, in the database, where all processes see them.

use uuid::Uuid;

use super::Ledger;
use crate::domain::fault::Fault;
use crate::domain::quota::{self, Quota};
use crate::primitives::clock::Timestamp;

impl Ledger {
    /// Counts one use of a link to an export. Returns false when the link has no uses left.
    pub async fn use_export_link(&self, (link_id, expires_at): (Uuid, Timestamp), most: u32) -> Result<bool, Fault> {
        let now = self.poster.clock.now();
        let uses = [Quota {
            scope: "EXPORT_LINK",
            subject: link_id.as_bytes().to_vec(),
            most,
            millis: expires_at.millis() - now.millis(),
        }];
        let exhausted = self.poster.database.transaction(move |tx| {
            let uses = uses.clone();
            Box::pin(async move { quota::spend(tx, &uses, now).await })
        });
        Ok(exhausted.await?.is_none())
    }
}
