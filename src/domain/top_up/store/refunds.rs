//! Rows of refunds.

use entity::top_up_refund::{Column, Entity};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use crate::domain::database::{Database, Transaction, records};
use crate::domain::fault::Fault;
use crate::domain::top_up::model::Refund;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, TopUpId};

use super::due_ids;

/// Writes a new or changed refund.
pub(in super::super) async fn save(tx: &Transaction, account_id: AccountId, refund: &Refund) -> Result<(), Fault> {
    records::save::<Entity>(tx, &(account_id, refund)).await
}

/// Finds a refund as the transaction sees it.
pub(in super::super) async fn find(tx: &Transaction, account_id: AccountId, id: Uuid) -> Result<Option<Refund>, Fault> {
    records::find_one(tx, Entity::find_by_id((account_id.number(), id))).await
}

/// Returns the refunds of a top-up as the transaction sees them, oldest first.
pub(in super::super) async fn of_top_up(
    tx: &Transaction,
    account_id: AccountId,
    top_up_id: TopUpId,
) -> Result<Vec<Refund>, Fault> {
    let query = Entity::find()
        .filter(Column::AccountId.eq(account_id))
        .filter(Column::TopUpId.eq(top_up_id))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id);
    records::find(tx, query).await
}

/// Returns refunds that a worker may process.
pub(in super::super) async fn due(
    database: &Database,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<(AccountId, Uuid)>, Fault> {
    due_ids(database.read(), ("top_up_refund", "due_at"), now, limit).await
}
