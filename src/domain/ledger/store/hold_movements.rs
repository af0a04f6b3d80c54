//! SQL of `hold_movement`. Rows are never changed or deleted.

use entity::hold_movement;

use crate::domain::database::bulk::Rows;
use crate::domain::database::writes::Writes;

use super::Work;

/// Adds the changes of holds.
pub(super) fn save(writes: &mut Writes<'_>, works: &[Work]) {
    let movements = works.iter().flat_map(|work| {
        let movements = work.changes.hold_movements.iter();
        movements.map(move |movement| (work.account_id(), movement))
    });
    writes.insert_all::<hold_movement::Entity>(&Rows::of(movements));
}
