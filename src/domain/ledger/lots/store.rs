//! SQL of credit lots.

use std::collections::HashMap;

use uuid::Uuid;

use crate::domain::database::Database;
use crate::domain::database::keyset::Keyset;
use crate::domain::database::records::column_list;
use crate::domain::database::select::{self, Select};
use crate::domain::fault::Fault;
use crate::domain::ledger::model::{Lot, MAX_LOTS};
use crate::primitives::ids::{AccountId, LotId};

/// Returns the list of all lots, oldest first.
pub(super) fn keyset() -> Keyset<(i64, Uuid)> {
    Keyset::new("credit_lot", &["created_at", "id"], column_list::<Lot>())
}

/// Returns lots by id.
pub(super) async fn by_ids(
    database: &Database,
    account_id: AccountId,
    ids: &[LotId],
) -> Result<HashMap<LotId, Lot>, Fault> {
    select::by_ids(database, account_id, "credit_lot", ids, |lot: &Lot| lot.id).await
}

/// Returns the lots that have a remainder.
pub(super) async fn open(database: &Database, account_id: AccountId) -> Result<Vec<Lot>, Fault> {
    let mut select = Select::from::<Lot>(database, account_id, "credit_lot");
    select.push(&format!(
        " AND remaining > 0 ORDER BY priority, expires_at, created_at, id LIMIT {MAX_LOTS}"
    ));
    select.records(database).await
}
