//! Accounts in which a booking was refused for insufficient credits, for the worker that tops them up.
//!
//! Kept in memory alone, because a refusal writes nothing. If the process ends, only the hint is lost: the account's own row
//! watches the level of available credits.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::primitives::ids::AccountId;

/// Accounts that are kept at once; further ones are dropped.
const MOST: usize = 10_000;

/// Accounts that were short of credits since the last [`Self::take`].
#[derive(Debug, Default)]
pub struct ShortAccounts(Mutex<BTreeSet<AccountId>>);

impl ShortAccounts {
    pub(super) fn add(&self, account_id: AccountId) {
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.len() < MOST {
            accounts.insert(account_id);
        }
    }

    /// Returns the accounts and clears the set.
    pub fn take(&self) -> Vec<AccountId> {
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *accounts).into_iter().collect()
    }
}
