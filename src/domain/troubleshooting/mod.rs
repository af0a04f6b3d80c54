//! What is wrong in an account, why, since when, and what mends it: the help page as data.
//!
//! Called by GraphQL, and by a worker that looks whether it has changed (`watching`). Above all other rooms: it asks each of them for a picture of the account, all of them within one
//! transaction that only reads, and applies the rules (`rules`, one for each code, pure) to what they gave. It decides nothing:
//! its remedies are use cases of those rooms, and each is accepted or refused by the room itself.
//!
//! Invariants:
//! - All findings of an answer are about one instant.
//! - A fixed number of statements, each bounded, whatever the account has.
//! - A remedy that can be sent as it stands has nothing in it that a person must choose or agree to.
//! - A viewer is offered only what they may do (`Finding::seen_by`).

pub mod model;
mod rules;
mod store;
mod watching;
mod wording;

use crate::domain::database::Database;
use crate::domain::fault::{Fault, QueryError};
use crate::domain::ledger::Ledger;
use crate::domain::top_up::AutoTopUps;
use crate::primitives::actor::{AccessError, Actor, Permission};
use crate::primitives::clock::{Clock, Timestamp};
use crate::primitives::ids::AccountId;

use model::{Finding, Snapshot};

pub use wording::{Explained, Explaining};

/// Finds out what is wrong. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Troubleshooting {
    database: Database,
    clock: Clock,
    ledger: Ledger,
    auto_top_ups: AutoTopUps,
}

impl Troubleshooting {
    /// For the accounts of this database, whose rules these are.
    pub fn new((database, clock): (Database, Clock), ledger: Ledger, auto_top_ups: AutoTopUps) -> Self {
        Self {
            database,
            clock,
            ledger,
            auto_top_ups,
        }
    }

    /// All that is wrong now, the worst first. Empty when all is well.
    pub async fn findings(&self, actor: &Actor, account_id: AccountId) -> Result<Vec<Finding>, QueryError> {
        actor.require(account_id, Permission::ReadCreditLog)?;
        let snapshot = self.snapshot(account_id, self.clock.now()).await?;
        let snapshot = snapshot.ok_or(AccessError::NotFound)?;
        let found = rules::find(&snapshot).into_iter();
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
