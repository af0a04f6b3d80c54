//! Idempotency keys that have expired: they stay used, but their results are no longer stored.

use crate::domain::database::Transaction;
use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, TopUpId};

use super::store::{KeyPosition, StoredKey};
use super::{Ledger, LockedAccount, store};

impl Ledger {
    /// Returns the next keys of an account by origin and key, at most `limit`. Old are those that clients used before an instant and that
    /// have not expired yet.
    pub(in crate::domain) async fn keys_after(
        &self,
        account_id: AccountId,
        after: Option<&KeyPosition>,
        used_before: Timestamp,
        limit: u32,
    ) -> Result<Vec<StoredKey>, Fault> {
        store::keys_after(&self.poster.database, account_id, after, used_before, limit).await
    }
}

impl LockedAccount {
    /// Lets the old keys after one position and up to another expire, except those of some top-ups. Returns their number.
    pub(in crate::domain) async fn expire_keys(
        &self,
        tx: &Transaction,
        range: (Option<&KeyPosition>, &KeyPosition),
        used_before: Timestamp,
        except: &[TopUpId],
    ) -> Result<u64, Fault> {
        store::expire_keys(tx, self.header.account_id, range, used_before, except).await
    }
}
