//! SQL of lots, as far as a batch uses them.

use entity::credit_lot;
use sea_orm::QueryResult;

use crate::domain::database::Transaction;
use crate::domain::database::bulk::{Record, Rows};
use crate::domain::database::records::{self, columns_of};
use crate::domain::database::scope::AccountScope;
use crate::domain::database::writes::Writes;
use crate::domain::fault::Fault;
use crate::domain::ledger::model::{Lot, MAX_LOTS, ShiftExpiries};
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, LotId};

use super::{Batch, Named, Work};

/// What a batch may draw from an account's lots.
#[derive(Record)]
struct Wanted {
    account_id: AccountId,
    expiry_now: Timestamp,
    demand: Credits,
    paid_too: bool,
}

/// A lot that has expired with a remainder.
#[derive(Record)]
struct Expired {
    account_id: AccountId,
    id: LotId,
    expires_at: Timestamp,
}

/// Leaves space for lots that a batch makes beside its additions: refunds make some too.
const NEARLY_FULL: i64 = MAX_LOTS - 600;

/// Loads lots in spending order as far as the batch can draw, those that have expired with a remainder, and those that
/// refunds return into. For expired lots, also loads the sum of holds booked before the expiry. Sessions and entries are
/// loaded before.
pub(super) async fn load(tx: &Transaction, batch: &mut Batch<'_>) -> Result<(), Fault> {
    load_spending(tx, batch).await?;
    load_returning(tx, batch).await?;
    load_held_before(tx, batch).await
}

/// The statement contains the demand of each account: live lots are taken in spending order until they cover
/// it.
async fn load_spending(tx: &Transaction, batch: &mut Batch<'_>) -> Result<(), Fault> {
    let mut wanted = Vec::new();
    for work in &mut *batch.works {
        let expiry_now = work.expiry_now();
        work.due.expiries |= work.state.header.next_lot_expiry_at.is_some_and(|at| at <= expiry_now);
        let demand = demand(work);
        let paid_too = work.state.header.lot_count >= NEARLY_FULL;
        if work.due.expiries || paid_too || work.needs.draws.is_some() {
            wanted.push(Wanted {
                account_id: work.account_id(),
                expiry_now,
                demand,
                paid_too,
            });
        }
    }
    let sql = |scope: AccountScope, relation| {
        let (columns, lots) = (
            columns_of::<(AccountId, Lot)>("t"),
            scope.probe("credit_lot", "t.remaining > 0"),
        );
        format!(
            "SELECT {columns} FROM (
               SELECT {columns}, r.demand, r.paid_too, CASE WHEN t.expires_at <= r.expiry_now THEN 1 ELSE 0 END AS expired,
                 SUM(CASE WHEN t.expires_at <= r.expiry_now THEN 0 ELSE t.remaining END) OVER (
                   PARTITION BY t.account_id
                   ORDER BY t.priority, COALESCE(t.expires_at, 9223372036854775807),
                     CASE t.kind WHEN 'PROMOTIONAL' THEN 0 ELSE 1 END, t.created_at, t.id
                   ROWS UNBOUNDED PRECEDING) AS reached
               FROM {relation} {lots}) AS t
             WHERE t.expired = 1 OR t.reached - t.remaining < t.demand
               OR (t.paid_too AND t.kind = 'PAID' AND t.expires_at IS NULL AND t.priority = 0)"
        )
    };
    add(batch, &AccountScope::select(tx, &Rows::of(wanted), sql).await?)
}

/// More than the batch can draw: what its commands say themselves, the holds of sessions loaded, and what the batch itself
/// holds, since it may be charged in the same batch.
fn demand(work: &Work) -> Credits {
    let of_sessions = work
        .state
        .sessions
        .values()
        .map(|session| session.held().max(session.booked));
    of_sessions.chain([work.needs.demand()]).sum()
}

/// Loads the lots that the loaded entries moved something into or out of, also those with nothing left.
async fn load_returning(tx: &Transaction, batch: &mut Batch<'_>) -> Result<(), Fault> {
    let mut named = Vec::new();
    for work in &*batch.works {
        let moved = work.state.entries.values().flat_map(|entry| &entry.movements);
        for lot_id in moved.filter_map(|movement| movement.lot_id) {
            if !work.state.lots.contains_key(&lot_id) {
                named.push(Named {
                    account_id: work.account_id(),
                    id: lot_id,
                });
            }
        }
    }
    let sql = |scope: AccountScope, relation| {
        let (columns, lots) = (
            columns_of::<(AccountId, Lot)>("t"),
            scope.probe("credit_lot", "t.id = r.id"),
        );
        format!("SELECT {columns} FROM {relation} {lots}")
    };
    add(batch, &AccountScope::select(tx, &Rows::of(named), sql).await?)
}

fn add(batch: &mut Batch<'_>, rows: &[QueryResult]) -> Result<(), Fault> {
    for (account_id, lot) in records::read::<(AccountId, Lot)>(rows)? {
        batch.work(account_id)?.state.lots.insert(lot.id, lot);
    }
    Ok(())
}

async fn load_held_before(tx: &Transaction, batch: &mut Batch<'_>) -> Result<(), Fault> {
    let mut expired = Vec::new();
    for work in &*batch.works {
        let expiry_now = work.expiry_now();
        for lot in work.state.lots.values().filter(|lot| lot.remaining.is_positive()) {
            if let Some(expires_at) = lot.expires_at.filter(|_| lot.is_expired(expiry_now)) {
                expired.push(Expired {
                    account_id: work.account_id(),
                    id: lot.id,
                    expires_at,
                });
            }
        }
    }
    let sql = |scope: AccountScope, relation| {
        let account = scope.condition("h");
        format!(
            "SELECT r.account_id, r.id, (SELECT CAST(COALESCE(SUM(h.amount), 0) AS BIGINT) FROM session_hold AS h \
             WHERE h.account_id = r.account_id{account} AND h.booked_at < r.expires_at) FROM {relation}"
        )
    };
    for row in AccountScope::select(tx, &Rows::of(expired), sql).await? {
        let (account_id, lot_id, held): (_, LotId, Credits) = row.try_get_many_by_index()?;
        batch.work(account_id)?.state.held_before.insert(lot_id, held);
    }
    Ok(())
}

/// Adds lots that were made or changed.
pub(super) fn save(writes: &mut Writes<'_>, works: &[Work]) {
    let changed = works.iter().flat_map(|work| {
        let lots = work.changes.lots.iter().filter_map(move |id| work.state.lots.get(id));
        lots.map(move |lot| (work.account_id(), lot))
    });
    writes.save_all::<credit_lot::Entity>(&Rows::of(changed));
}

/// Moves what expires by the length of a freeze: all lots that had not expired when it began, and all holds.
pub(super) async fn shift_expiries(tx: &Transaction, works: &[Work]) -> Result<(), Fault> {
    let shifts = works.iter().filter_map(|work| {
        let shift = work.changes.shift_expiries_by?;
        Some((work.account_id(), shift))
    });
    let rows = Rows::of::<(AccountId, ShiftExpiries)>(shifts);
    for (table, column, condition) in [
        (
            "credit_lot",
            "expires_at",
            "remaining > 0 AND expires_at > r.not_expired_at",
        ),
        ("session", "hold_expires_at", "status = 'BOOKED'"),
    ] {
        let sql = |scope: AccountScope, relation| {
            let account = scope.condition(table);
            format!(
                "UPDATE {table} SET {column} = {column} + r.millis FROM {relation} \
                 WHERE {table}.account_id = r.account_id{account} AND {condition}"
            )
        };
        AccountScope::execute(tx, &rows, sql).await?;
    }
    Ok(())
}
