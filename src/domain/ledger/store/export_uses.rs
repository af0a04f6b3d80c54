//! How often links to exports were followed.

use entity::export_use::{Column, Entity, Model};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};
use uuid::Uuid;

use crate::domain::database::Transaction;
use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::AccountId;

/// How often the link was followed. Deletes what is known of links that have ended.
pub(in super::super) async fn uses(
    tx: &Transaction,
    account_id: AccountId,
    link_id: Uuid,
    now: Timestamp,
) -> Result<u32, Fault> {
    Entity::delete_many()
        .filter(Column::AccountId.eq(account_id.number()))
        .filter(Column::ExpiresAt.lte(now.millis()))
        .exec(tx)
        .await?;
    let row = Entity::find_by_id((account_id.number(), link_id)).one(tx).await?;
    Ok(row.and_then(|row| u32::try_from(row.uses).ok()).unwrap_or_default())
}

/// Writes how often the link was followed.
pub(in super::super) async fn save(
    tx: &Transaction,
    account_id: AccountId,
    link_id: Uuid,
    (uses, expires_at): (u32, Timestamp),
) -> Result<(), Fault> {
    let row = Model {
        account_id: account_id.number(),
        link_id,
        uses: i32::try_from(uses).unwrap_or(i32::MAX),
        expires_at: expires_at.millis(),
    };
    let conflict = OnConflict::columns([Column::AccountId, Column::LinkId])
        .update_columns([Column::Uses, Column::ExpiresAt])
        .to_owned();
    Entity::insert(row.into_active_model())
        .on_conflict(conflict)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}
