//! Sends changes of the findings to live connections.
//!
//! Findings follow from the rows of an account and from time, and no row records a change of them. So an account is checked when it has new
//! events, and at the instant that a rule waits for. Each check stores a fingerprint of the findings. If it differs, the same transaction
//! appends an event. That event is numbered and stored as all others, so a client that was disconnected gets it once.
//!
//! An account without events is not checked, and neither is one that no client has ever followed for this. A check takes some
//! twenty statements, and most postings concern no client that shows findings.
//!
//! The first check takes no lock. Only if it finds a difference, the account is locked and checked again.

use std::sync::Arc;

use crate::domain::database::Transaction;
use crate::domain::event::EventContent;
use crate::domain::fault::{Fault, QueryError};
use crate::domain::ledger::LockedAccount;
use crate::domain::top_up::AutoTopUps;
use crate::primitives::actor::AccessError;
use crate::primitives::ids::AccountId;

use super::last_findings::Check;
use super::model::Snapshot;
use super::store::{self, Checkpoint};
use super::{Troubleshooting, model};

impl Troubleshooting {
    /// Starts to watch an account for a client. Its earlier findings are unknown: the first change that is sent is the start itself.
    pub async fn follow(&self, account_id: AccountId) -> Result<(), Fault> {
        store::follow(&self.database, account_id).await
    }

    /// Returns those of these accounts that a client has followed.
    pub async fn followed(&self, accounts: &[AccountId]) -> Result<Vec<AccountId>, Fault> {
        store::followed(&self.database, accounts).await
    }

    /// Returns up to `limit` followed accounts with unchecked events, the oldest first. It finds events that no bell has announced.
    pub async fn unchecked(&self, limit: u32) -> Result<Vec<AccountId>, Fault> {
        store::unchecked(&self.database, limit).await
    }

    /// Returns up to `limit` accounts in which time alone may have changed the findings, the earliest first.
    pub async fn due(&self, limit: u32) -> Result<Vec<AccountId>, Fault> {
        store::due(&self.database, self.clock.now(), limit).await
    }

    /// Checks an account if it has new events or its scheduled time has come, and reports changed findings. Each change is
    /// reported once, for any number of processes.
    pub async fn look(&self, account_id: AccountId) -> Result<(), Fault> {
        let now = self.clock.now();
        let Some(followed) = store::checkpoint(self.database.read(), account_id).await? else {
            return Ok(());
        };
        let checkpoint = followed.checkpoint;
        if checkpoint.sequence >= followed.last_event && checkpoint.due_at.is_none_or(|due_at| due_at > now) {
            // The account may have been locked when the last check tried to store its checkpoint.
            return if followed.is_unchecked {
                self.keep(account_id, checkpoint, None).await
            } else {
                Ok(())
            };
        }
        let Some(snapshot) = self.snapshot(account_id, now).await? else {
            return Ok(());
        };
        let (seen, check) = seen(&snapshot);
        if seen.fingerprint == checkpoint.fingerprint {
            return self.keep(account_id, seen, Some(check)).await;
        }
        let auto_top_ups = Arc::new(self.auto_top_ups.clone());
        let announced = self.ledger.change(account_id, move |tx, locked| {
            let auto_top_ups = Arc::clone(&auto_top_ups);
            Box::pin(async move { announce(tx, locked, &auto_top_ups).await })
        });
        match announced.await {
            // The account does not exist.
            Ok(()) | Err(QueryError::Access(_)) => Ok(()),
            Err(error) => Err(error.into_fault()),
        }
    }

    async fn keep(&self, account_id: AccountId, checkpoint: Checkpoint, check: Option<Check>) -> Result<(), Fault> {
        self.database
            .transaction(move |tx| {
                let checkpoint = checkpoint.clone();
                Box::pin(async move {
                    store::keep_checkpoint(tx, account_id, &checkpoint).await?;
                    match check {
                        Some(check) => store::save_check(tx, account_id, &check).await,
                        None => Ok(()),
                    }
                })
            })
            .await
    }
}

/// Checks again under the account's lock, and reports a change.
async fn announce(tx: &Transaction, locked: &mut LockedAccount, auto_top_ups: &AutoTopUps) -> Result<(), QueryError> {
    let account_id = locked.header.account_id;
    let before = store::checkpoint(tx, account_id)
        .await?
        .ok_or(AccessError::NotFound)?
        .checkpoint;
    let snapshot = store::snapshot(tx, auto_top_ups, account_id, locked.now).await?;
    let (mut after, mut check) = seen(&snapshot.ok_or(AccessError::NotFound)?);
    if after.fingerprint != before.fingerprint {
        locked.append(tx, EventContent::TroubleshootingChanged).await?;
        // The event of this change needs no check.
        after.sequence = locked.header.event_sequence;
        check.covers(after.sequence);
    }
    locked.checked();
    store::save_check(tx, account_id, &check).await?;
    Ok(store::save_checkpoint(tx, account_id, &after).await?)
}

fn seen(snapshot: &Snapshot) -> (Checkpoint, Check) {
    let findings = model::find(snapshot);
    let checkpoint = Checkpoint {
        sequence: snapshot.account.event_sequence,
        fingerprint: model::fingerprint(&findings),
        due_at: model::next_change(snapshot),
    };
    (checkpoint, Check::of(snapshot, &findings))
}
