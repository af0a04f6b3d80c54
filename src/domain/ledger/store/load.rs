//! Loads the working sets of a batch.

use crate::domain::database::Transaction;
use crate::domain::fault::Fault;

use super::{Batch, Work, entries, keys, lots, sessions, top_up_holds};

/// Adds to each account's figures the rows that its commands name or may draw on, as [`crate::domain::ledger::model::AccountState`]
/// guarantees. `works` are locked and in the order of their accounts.
///
/// Each step may need what the one before has loaded. Sessions name the entries of their charges, entries the lots they drew from,
/// and lots the holds that were booked before they expired.
pub(in crate::domain::ledger) async fn load(tx: &Transaction, works: &mut [Work]) -> Result<(), Fault> {
    let mut batch = Batch { works };
    keys::load_requested(tx, &mut batch).await?;
    keys::load_members(tx, &mut batch).await?;
    sessions::load(tx, &mut batch).await?;
    entries::load(tx, &mut batch).await?;
    top_up_holds::load(tx, &mut batch).await?;
    lots::load(tx, &mut batch).await
}
