//! SQL of credit lots.

use std::collections::HashMap;

use uuid::Uuid;

use crate::domain::database::Database;
use crate::domain::database::keyset::{Keyset, Position};
use crate::domain::database::records::{self, column_list};
use crate::domain::database::select::Select;
use crate::domain::fault::Fault;
use crate::domain::ledger::model::{Lot, MAX_LOTS};
use crate::primitives::ids::{AccountId, LotId};

/// Returns the list of all lots, oldest first.
pub(super) fn keyset() -> Keyset<(i64, Uuid)> {
    Keyset {
        table: "credit_lot",
        key: &["created_at", "id"],
        columns: column_list::<Lot>(),
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
    let lots = Select::by_ids::<Lot>(database, account_id, "credit_lot", ids)
        .records(database)
        .await?;
    Ok(records::by_id(lots, |lot: &Lot| lot.id))
}

/// Returns the lots that have a remainder.
pub(super) async fn open(database: &Database, account_id: AccountId) -> Result<Vec<Lot>, Fault> {
    let mut select = Select::from::<Lot>(database, account_id, "credit_lot");
    select.push(&format!(
        " AND remaining > 0 ORDER BY priority, expires_at, created_at, id LIMIT {MAX_LOTS}"
    ));
    select.records(database).await
}
