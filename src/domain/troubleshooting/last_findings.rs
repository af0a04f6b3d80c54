//! The number of findings of each account at its last check, for the platform's list of accounts.
//!
//! Accounts that a client follows are checked within seconds of a change: see `watching`. All others are looked at in turn, the one with the
//! oldest check first, each at least once in [`EVERY`] milliseconds. If an account has no new event since its check, no instant has come that a
//! rule waits for, and no day has passed, the number is still right and only the time of the check is renewed: at most
//! [`RENEWED_AT_ONCE`] in a round of each worker process. Otherwise it is checked, at most [`AT_ONCE`] in a round. While there is more to
//! do, a round begins each second. So the numbers of 9,000 accounts that change all the time are at most some 15 minutes old. Each number
//! has the instant of its check.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use crate::domain::fault::{Fault, QueryError};
use crate::domain::notification::model::Severity;
use crate::primitives::actor::{Actor, Permission};
use crate::primitives::clock::{DAY, MINUTE, Timestamp};
use crate::primitives::ids::AccountId;
use crate::primitives::record::{FromRow, Record};

use super::model::{Finding, Snapshot};
use super::{Troubleshooting, model, store};

/// Accounts that one round checks in turn, at most. A check is some twenty statements.
const AT_ONCE: usize = 10;
/// Accounts without a change whose time one round renews, at most.
const RENEWED_AT_ONCE: u32 = 200;
/// How long the result of a check counts as current, in milliseconds.
const EVERY: i64 = 15 * MINUTE;
/// Each account is checked anew after this time, in milliseconds, even if nothing has happened: a later version may have other rules.
const AT_LEAST_EVERY: i64 = DAY;
/// New accounts that one round adds, at most.
const NEW_AT_ONCE: u32 = 1_000;
/// How long an account may take from its creation to its commit, in milliseconds.
const COMMITTED_WITHIN: i64 = 10 * MINUTE;

/// The findings of an account at its last check, as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Record, FromRow)]
pub struct LastFindings {
    /// The number of findings.
    #[record(name = "findings")]
    pub count: i32,
    /// The highest severity. `None` without findings.
    pub severity: Option<Severity>,
    /// When the account was checked.
    pub checked_at: Timestamp,
}

/// A check of an account: what it found, and until when that is right.
#[derive(Clone, Copy, Debug, Record)]
pub(super) struct Check {
    #[record(flatten)]
    found: LastFindings,
    checked_sequence: i64,
    due_at: Timestamp,
}

impl Check {
    pub(super) fn of(snapshot: &Snapshot, findings: &[Finding]) -> Self {
        let latest = snapshot.now.plus_millis(AT_LEAST_EVERY);
        let found = LastFindings {
            count: i32::try_from(findings.len()).unwrap_or(i32::MAX),
            severity: findings.iter().map(|finding| finding.severity).max(),
            checked_at: snapshot.now,
        };
        Self {
            found,
            checked_sequence: snapshot.account.event_sequence,
            due_at: model::next_change(snapshot).map_or(latest, |at| at.min(latest)),
        }
    }

    /// The check is right also after this event.
    pub(super) const fn covers(&mut self, event_sequence: i64) {
        self.checked_sequence = event_sequence;
    }
}

impl Troubleshooting {
    /// Returns the numbers of the last check of these accounts. Accounts that the caller may not see and accounts that were never checked
    /// are left out.
    pub async fn last_findings(
        &self,
        actor: &Actor,
        accounts: &[AccountId],
    ) -> Result<HashMap<AccountId, LastFindings>, QueryError> {
        let may_read = |id: &AccountId| actor.require(*id, Permission::ReadCreditLog).is_ok();
        let accounts: Vec<AccountId> = accounts.iter().copied().filter(may_read).collect();
        Ok(store::last_findings(self.database.read(), &accounts).await?)
    }

    /// Adds new accounts to those that are checked in turn, renews those that have not changed, and returns others whose check is the
    /// oldest.
    pub async fn to_check_in_turn(&self) -> Result<Vec<AccountId>, Fault> {
        let now = self.clock.now();
        let known_until = Timestamp::from_millis(self.known_until.load(Ordering::Relaxed));
        let new = store::unlisted(&self.database, known_until, NEW_AT_ONCE).await?;
        if !new.is_empty() {
            store::list_accounts(&self.database, &new).await?;
        }
        if new.len() < NEW_AT_ONCE as usize {
            let until = now.plus_millis(-COMMITTED_WITHIN).millis();
            self.known_until.fetch_max(until, Ordering::Relaxed);
        }
        // Checks are renewed by the hundred, and most of them early: each commit wakes the workers.
        let (early, before) = (now.plus_millis(-EVERY / 2), now.plus_millis(-EVERY));
        let old = store::checked_before(&self.database, (early, now), RENEWED_AT_ONCE).await?;
        if old.first().is_none_or(|oldest| oldest.checked_at > before) {
            return Ok(Vec::new());
        }
        let (right, changed): (Vec<_>, Vec<_>) = old.into_iter().partition(|old| old.is_right);
        let right: Vec<AccountId> = right.into_iter().map(|old| old.account_id).collect();
        for accounts in right.chunks(self.ledger.accounts_per_transaction()) {
            store::renew(&self.database, accounts, (early, now)).await?;
        }
        let changed = changed.into_iter().filter(|old| old.checked_at <= before);
        Ok(changed.map(|old| old.account_id).take(AT_ONCE).collect())
    }

    /// Checks an account and stores the number of its findings, unless another process has just done so.
    pub async fn check_in_turn(&self, account_id: AccountId) -> Result<(), Fault> {
        let now = self.clock.now();
        let last = store::last_findings(self.database.read(), &[account_id]).await?;
        if last
            .get(&account_id)
            .is_some_and(|last| last.checked_at > now.plus_millis(-EVERY))
        {
            return Ok(());
        }
        let Some(snapshot) = self.snapshot(account_id, now).await? else {
            return Ok(());
        };
        let check = Check::of(&snapshot, &model::find(&snapshot));
        self.database
            .transaction(move |tx| Box::pin(async move { store::save_check(tx, account_id, &check).await }))
            .await
    }
}
