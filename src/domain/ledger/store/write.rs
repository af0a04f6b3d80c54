//! Writes all that a batch has changed.

use crate::domain::database::Transaction;
use crate::domain::database::bulk::{Record, Rows};
use crate::domain::database::scope::AccountScope;
use crate::domain::database::writes::Writes;
use crate::domain::event::{self, Event};
use crate::domain::fault::Fault;
use crate::domain::ledger::model::AccountHeader;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::AccountId;

use super::{Batch, Work, entries, header, hold_movements, keys, lots, sessions, top_up_holds};

/// The times of an account after which the next due times are queried.
#[derive(Record)]
struct Times {
    account_id: AccountId,
    expiry_now: Timestamp,
    now: Timestamp,
}

/// Writes the changes of the accepted commands of a batch: where the database can, by one statement for all tables with new rows.
/// What is only changed or deleted comes before, and concerns other rows. Due times are moved and found after it.
pub(in crate::domain::ledger) async fn write(tx: &Transaction, works: &mut [Work]) -> Result<(), Fault> {
    let mut writes = Writes::of(tx);
    entries::save(tx, &mut writes, works).await?;
    lots::save(&mut writes, works);
    sessions::save(tx, &mut writes, works).await?;
    top_up_holds::save(tx, &mut writes, works).await?;
    hold_movements::save(&mut writes, works);
    keys::insert(&mut writes, works);
    event::append_with(&mut writes, &events(works));
    if works.iter().any(Work::deals_with_due) {
        // These statements read and change the new rows.
        writes.send().await?;
        lots::shift_expiries(tx, works).await?;
        find_next_times(tx, works).await?;
    }
    let changed = works.iter().filter(|work| work.changes.accepted);
    let headers: Vec<&AccountHeader> = changed.map(|work| &work.state.header).collect();
    header::update(&mut writes, &headers);
    writes.send().await
}

fn events(works: &[Work]) -> Vec<(AccountId, &Event)> {
    works
        .iter()
        .flat_map(|work| work.changes.events.iter().map(|event| (work.account_id(), event)))
        .collect()
}

/// Queries again when something is due next, for accounts where due items were processed. The core knows the loaded rows, not
/// those that come after them.
async fn find_next_times(tx: &Transaction, works: &mut [Work]) -> Result<(), Fault> {
    let due = works.iter().filter(|work| work.deals_with_due());
    let rows = Rows::of(due.map(|work| Times {
        account_id: work.account_id(),
        expiry_now: work.expiry_now(),
        now: work.now,
    }));
    let mut batch = Batch { works };
    let sql = |scope: AccountScope, relation| {
        format!(
            "SELECT r.account_id,
               (SELECT MIN(l.expires_at) FROM credit_lot AS l
                 WHERE l.account_id = r.account_id{} AND l.remaining > 0 AND l.expires_at > r.expiry_now),
               (SELECT MIN(h.hold_expires_at) FROM session AS h WHERE h.account_id = r.account_id{} AND h.status = 'BOOKED'),
               (SELECT MIN(e.ends_at) FROM session AS e
                 WHERE e.account_id = r.account_id{} AND e.status = 'BOOKED' AND e.ends_at > r.now)
             FROM {relation}",
            scope.condition("l"),
            scope.condition("h"),
            scope.condition("e"),
        )
    };
    for row in AccountScope::select(tx, &rows, sql).await? {
        let (account_id, lot, hold, end) = row.try_get_many_by_index()?;
        let work = batch.work(account_id)?;
        let (due, swept) = (work.due, work.changes.swept);
        let shifted = work.changes.shift_expiries_by.is_some();
        let header = &mut work.state.header;
        if due.expiries || shifted {
            (header.next_lot_expiry_at, header.next_hold_expiry_at) = (lot, hold);
        }
        if swept {
            header.next_processing_at = due.goes_on_at.or(end);
        }
    }
    Ok(())
}

impl Work {
    fn deals_with_due(&self) -> bool {
        let changes = &self.changes;
        changes.accepted && (self.due.expiries || changes.swept || changes.shift_expiries_by.is_some())
    }
}
