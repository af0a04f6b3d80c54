//! SQL of `hold_movement`. Rows are never changed or deleted.

use crate::domain::database::Transaction;
use crate::domain::database::bulk::{Columns, Kind, Rows};
use crate::domain::fault::Fault;
use sea_orm::ConnectionTrait;

use super::{Work, execute};

const COLUMNS: Columns = &[
    ("account_id", Kind::BigInt),
    ("holder_id", Kind::Uuid),
    ("sequence", Kind::BigInt),
    ("holder", Kind::Text),
    ("occurred_at", Kind::BigInt),
    ("amount", Kind::BigInt),
    ("held", Kind::BigInt),
    ("held_after", Kind::BigInt),
];

/// Writes the changes of holds.
pub(super) async fn save(tx: &Transaction, works: &[Work]) -> Result<(), Fault> {
    let mut rows = Rows::new(COLUMNS);
    for work in works {
        for movement in &work.changes.hold_movements {
            rows.push([
                work.number().into(),
                movement.holder.uuid().into(),
                movement.sequence.into(),
                movement.holder.as_str().into(),
                movement.occurred_at.millis().into(),
                movement.amount.units().into(),
                movement.held.units().into(),
                movement.held_after.units().into(),
            ]);
        }
    }
    if !rows.is_empty() {
        execute(tx, rows.insert(tx.get_database_backend(), "hold_movement", "")).await?;
    }
    Ok(())
}
