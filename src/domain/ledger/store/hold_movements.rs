//! SQL of `hold_movement`. Rows are never changed or deleted.

use entity::hold_movement;

use crate::domain::database::Transaction;
use crate::domain::database::bulk::Rows;
use crate::domain::database::records;
use crate::domain::fault::Fault;

use super::Work;

/// Writes the changes of holds.
pub(super) async fn save(tx: &Transaction, works: &[Work]) -> Result<(), Fault> {
    let movements = works.iter().flat_map(|work| {
        let movements = work.changes.hold_movements.iter();
        movements.map(move |movement| (work.account_id(), movement))
    });
    records::insert_all::<hold_movement::Entity>(tx, &Rows::of(movements)).await
}
