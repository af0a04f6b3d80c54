//! Accounts in which a booking was refused for want of credits: for whoever tops them up.
//!
//! Kept in memory alone, for a refusal writes nothing. What is lost with the process is the hint, not the need: the level of
//! available credits is watched by the account's own row.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::primitives::ids::AccountId;

/// Accounts that are remembered at once; more are forgotten.
const MOST: usize = 10_000;

/// Accounts that were short of credits since somebody last looked.
#[derive(Debug, Default)]
pub struct ShortAccounts(Mutex<BTreeSet<AccountId>>);

impl ShortAccounts {
    pub(super) fn add(&self, account_id: AccountId) {
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.len() < MOST {
            accounts.insert(account_id);
        }
    }

    /// Those remembered, and forgets them.
    pub fn take(&self) -> Vec<AccountId> {
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *accounts).into_iter().collect()
    }
}
