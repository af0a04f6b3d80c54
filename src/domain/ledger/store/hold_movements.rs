//! SQL of `hold_movement`. Rows are never changed or deleted.

use entity::hold_movement;
use sea_orm::ConnectionTrait;

use crate::domain::database::Transaction;
use crate::domain::database::bulk::Rows;
use crate::domain::fault::Fault;

use super::{Work, execute};

/// Writes the changes of holds.
pub(super) async fn save(tx: &Transaction, works: &[Work]) -> Result<(), Fault> {
    let movements = works.iter().flat_map(|work| {
        let movements = work.changes.hold_movements.iter();
        movements.map(move |movement| (work.account_id(), movement))
    });
    let rows = Rows::of(movements);
    if !rows.is_empty() {
        execute(tx, rows.insert_into::<hold_movement::Entity>(tx.get_database_backend())).await?;
    }
    Ok(())
}
