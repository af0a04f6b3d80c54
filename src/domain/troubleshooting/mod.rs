//! Finds what is wrong in an account, why, since when, and what fixes it: the help page as data.
//!
//! GraphQL calls it, and so does a worker that checks whether the findings have changed (`watching`) and how many each account has (`last_findings`). It is above all other modules. It
//! asks each of them for a snapshot of the account, all within one read-only transaction. Then it applies the rules of `model`, one pure
//! function per code. It decides nothing. Its remedies are use cases of those modules, and each module accepts or refuses its own.
//!
//! Invariants:
//! - All findings of a response are about one instant.
//! - The number of statements is fixed and each is bounded, for any account.
//! - A remedy that can be sent unchanged contains nothing that a person must choose or agree to.
//! - A viewer is offered only what they may do (`Finding::seen_by`).

mod last_findings;
mod store;
mod watching;
mod wording;

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use crate::domain::database::Database;
use crate::domain::fault::{Fault, QueryError};
use crate::domain::ledger::Ledger;
use crate::domain::top_up::AutoTopUps;
use crate::primitives::actor::{AccessError, Actor, Permission};
use crate::primitives::clock::{Clock, Timestamp};
use crate::primitives::ids::AccountId;

use model::{Finding, Snapshot};

pub use last_findings::LastFindings;
pub use ledgerbell_core::troubleshooting as model;
pub use wording::{Explained, Explaining};

/// Finds what is wrong. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Troubleshooting {
    database: Database,
    clock: Clock,
    ledger: Ledger,
    auto_top_ups: AutoTopUps,
    /// All accounts that were created before this instant are known to be checked in turn.
    known_until: Arc<AtomicI64>,
}

impl Troubleshooting {
    /// Troubleshooting for the accounts of this database, with these auto top-up rules.
    pub fn new((database, clock): (Database, Clock), ledger: Ledger, auto_top_ups: AutoTopUps) -> Self {
        Self {
            database,
            clock,
            ledger,
            auto_top_ups,
            known_until: Arc::default(),
        }
    }

    /// Returns all current findings, the most severe first. Empty when nothing is wrong.
    pub async fn findings(&self, actor: &Actor, account_id: AccountId) -> Result<Vec<Finding>, QueryError> {
        actor.require(account_id, Permission::ReadCreditLog)?;
        let snapshot = self.snapshot(account_id, self.clock.now()).await?;
        let snapshot = snapshot.ok_or(AccessError::NotFound)?;
        let found = model::find(&snapshot).into_iter();
        Ok(found.map(|finding| finding.seen_by(actor)).collect())
    }

    async fn snapshot(&self, account_id: AccountId, now: Timestamp) -> Result<Option<Snapshot>, Fault> {
        let auto_top_ups = self.auto_top_ups.clone();
        self.database
            .snapshot(move |tx| {
                let auto_top_ups = auto_top_ups.clone();
                Box::pin(async move { store::snapshot(tx, &auto_top_ups, account_id, now).await })
            })
            .await
    }
}
