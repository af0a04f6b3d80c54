//! SQL of credit lots.

use std::collections::HashMap;

use uuid::Uuid;

use crate::domain::database::Database;
use crate::domain::database::keyset::{Keyset, Position};
use crate::domain::database::select::{Row, Select};
use crate::domain::fault::Fault;
use crate::domain::ledger::credit_log::store::broken;
use crate::domain::ledger::model::{Lot, LotKind, MAX_LOTS};
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, EntryId, LotId};

const COLUMNS: &str = "id, kind, granted, remaining, priority, expires_at, created_at, entry_id";
/// The same columns of a table with the alias `l`.
pub(in crate::domain::ledger) const COLUMNS_OF_L: &str =
    "l.id, l.kind, l.granted, l.remaining, l.priority, l.expires_at, l.created_at, l.entry_id";

/// Returns the list of all lots, oldest first.
pub(super) fn keyset() -> Keyset<(i64, Uuid)> {
    Keyset {
        table: "credit_lot",
        key: &["created_at", "id"],
        columns: COLUMNS,
        branches: Vec::new(),
        has_repeats: false,
        residuals: Vec::new(),
        from: <(i64, Uuid)>::FIRST,
        to: <(i64, Uuid)>::LAST,
        descending: false,
    }
}

/// Returns lots by id.
pub(super) async fn by_ids(
    database: &Database,
    account_id: AccountId,
    ids: &[LotId],
) -> Result<HashMap<LotId, Lot>, Fault> {
    let ids = ids.iter().map(|id| id.uuid());
    let select = Select::by_ids(database, account_id, ("credit_lot", COLUMNS), ids);
    let mut found = HashMap::new();
    for row in select.all(database).await? {
        let lot = lot(&row)?;
        found.insert(lot.id, lot);
    }
    Ok(found)
}

/// Returns the lots that have a remainder.
pub(super) async fn open(database: &Database, account_id: AccountId) -> Result<Vec<Lot>, Fault> {
    let mut select = Select::of(database, account_id, "");
    select.push(&format!(
        "SELECT {COLUMNS} FROM credit_lot WHERE account_id = $1 AND remaining > 0 \
         ORDER BY priority, expires_at, created_at, id LIMIT {MAX_LOTS}"
    ));
    select.all(database).await?.iter().map(lot).collect()
}

/// Reads a lot from its row.
pub(in crate::domain::ledger) fn lot(row: &Row) -> Result<Lot, Fault> {
    let kind: String = row.try_get("", "kind")?;
    Ok(Lot {
        id: LotId::from_uuid(row.try_get("", "id")?),
        kind: LotKind::from_text(&kind).ok_or_else(|| broken("kind"))?,
        granted: Credits::from_units(row.try_get("", "granted")?),
        remaining: Credits::from_units(row.try_get("", "remaining")?),
        priority: row.try_get("", "priority")?,
        expires_at: row
            .try_get::<Option<i64>>("", "expires_at")?
            .map(Timestamp::from_millis),
        created_at: Timestamp::from_millis(row.try_get("", "created_at")?),
        entry_id: EntryId::from_uuid(row.try_get("", "entry_id")?),
    })
}
