//! Telling live that what is wrong has changed.
//!
//! What is wrong follows from the rows of an account and from time, and nobody writes it down when it changes. So an account is
//! looked at again when it has new events, and when an instant comes that a rule waits for; what was found then is kept as a
//! fingerprint. Where it differs, an event says so, in the transaction that keeps the new one. That event is numbered and kept
//! like all others, so it is replayed to whoever was away, once. An account in which nothing happens is not looked at, nor one that
//! nobody has ever followed for this: a look is some twenty statements, and most accounts' postings concern nobody's help page.
//!
//! The first look locks nothing. Only where it finds a difference the account is locked and looked at again.

use std::sync::Arc;

use crate::domain::database::{MayFault, Transaction};
use crate::domain::event::EventKind;
use crate::domain::fault::Fault;
use crate::domain::ledger::LockedAccount;
use crate::domain::top_up::AutoTopUps;
use crate::primitives::actor::AccessError;
use crate::primitives::ids::AccountId;

use super::model::Snapshot;
use super::store::{self, Place};
use super::{Troubleshooting, rules};

/// Why a look has come to nothing.
#[derive(Debug)]
enum LookError {
    /// The account does not exist.
    Gone,
    Fault(Fault),
}

impl From<AccessError> for LookError {
    fn from(_: AccessError) -> Self {
        Self::Gone
    }
}

impl From<Fault> for LookError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl MayFault for LookError {
    fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Gone => None,
            Self::Fault(fault) => Some(fault),
        }
    }
}

impl Troubleshooting {
    /// Has an account looked at from now on, for somebody who wants to be told. What was wrong until then is not known: the first
    /// change that is told of is that somebody looks.
    pub async fn follow(&self, account_id: AccountId) -> Result<(), Fault> {
        store::follow(&self.database, account_id).await
    }

    /// Of these accounts, those that somebody has followed.
    pub async fn followed(&self, accounts: &[AccountId]) -> Result<Vec<AccountId>, Fault> {
        store::followed(&self.database, accounts).await
    }

    /// Up to `limit` followed accounts with events that were not checked, the longest first. For events of which no bell came.
    pub async fn unchecked(&self, limit: u32) -> Result<Vec<AccountId>, Fault> {
        store::unchecked(&self.database, limit).await
    }

    /// Up to `limit` accounts in which time alone may have changed what is wrong, the longest first.
    pub async fn due(&self, limit: u32) -> Result<Vec<AccountId>, Fault> {
        store::due(&self.database, self.clock.now(), limit).await
    }

    /// Looks at an account, if it has new events or its time has come, and tells of it where what is wrong is not what it was.
    /// However many processes do this, each change is told once.
    pub async fn look(&self, account_id: AccountId) -> Result<(), Fault> {
        let now = self.clock.now();
        let Some(followed) = store::place(self.database.read(), account_id).await? else {
            return Ok(());
        };
        let place = followed.place;
        if place.sequence >= followed.last_event && place.due_at.is_none_or(|due_at| due_at > now) {
            // It may have been locked when the last look wanted to note that.
            return if followed.is_unchecked {
                self.keep(account_id, place).await
            } else {
                Ok(())
            };
        }
        let Some(snapshot) = self.snapshot(account_id, now).await? else {
            return Ok(());
        };
        let seen = seen(&snapshot);
        if seen.fingerprint == place.fingerprint {
            return self.keep(account_id, seen).await;
        }
        let auto_top_ups = Arc::new(self.auto_top_ups.clone());
        let told = self.ledger.change(account_id, move |tx, locked| {
            let auto_top_ups = Arc::clone(&auto_top_ups);
            Box::pin(async move { tell(tx, locked, &auto_top_ups).await })
        });
        match told.await {
            Ok(()) | Err(LookError::Gone) => Ok(()),
            Err(LookError::Fault(fault)) => Err(fault),
        }
    }

    async fn keep(&self, account_id: AccountId, place: Place) -> Result<(), Fault> {
        self.database
            .transaction(move |tx| {
                let place = place.clone();
                Box::pin(async move { store::keep_place(tx, account_id, &place).await })
            })
            .await
    }
}

/// Looks again under the account's lock, and tells what has changed.
async fn tell(tx: &Transaction, locked: &mut LockedAccount, auto_top_ups: &AutoTopUps) -> Result<(), LookError> {
    let account_id = locked.header.account_id;
    let before = store::place(tx, account_id).await?.ok_or(LookError::Gone)?.place;
    let snapshot = store::snapshot(tx, auto_top_ups, account_id, locked.now).await?;
    let mut after = seen(&snapshot.ok_or(LookError::Gone)?);
    if after.fingerprint != before.fingerprint {
        locked.append_event(tx, EventKind::TroubleshootingChanged, None).await?;
        // The event that tells of it needs no look.
        after.sequence = locked.header.event_sequence;
    }
    locked.checked();
    Ok(store::save_place(tx, account_id, &after).await?)
}

fn seen(snapshot: &Snapshot) -> Place {
    Place {
        sequence: snapshot.account.event_sequence,
        fingerprint: rules::fingerprint(&rules::find(snapshot)),
        due_at: rules::next_change(snapshot),
    }
}
