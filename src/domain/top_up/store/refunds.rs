//! Rows of refunds.

use entity::top_up_refund::{Column, Entity, Model};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use crate::domain::database::{Database, Transaction};
use crate::domain::fault::Fault;
use crate::domain::top_up::model::{Refund, RefundStatus};
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, ApiKeyId, EntryId, MemberId, TopUpId};

use super::{cause_of, due_ids, instant, save_row, word};

/// Writes a new or changed refund.
pub(in super::super) async fn save(tx: &Transaction, account_id: AccountId, refund: &Refund) -> Result<(), Fault> {
    let (actor_kind, actor_key_id, actor_member_id) = refund.actor.columns();
    let row = Model {
        account_id: account_id.number(),
        id: refund.id,
        top_up_id: refund.top_up_id.uuid(),
        credits: refund.credits.units(),
        amount_minor: refund.amount_minor,
        reason: refund.reason.clone(),
        status: refund.status.as_str().to_owned(),
        tries: refund.tries,
        due_at: refund.due_at.map(Timestamp::millis),
        actor_kind: actor_kind.to_owned(),
        actor_key_id: actor_key_id.map(ApiKeyId::uuid),
        actor_member_id: actor_member_id.map(MemberId::uuid),
        created_at: refund.created_at.millis(),
        is_exact: refund.is_exact,
        entry_id: refund.entry_id.map(EntryId::uuid),
        came_back_entry_id: refund.came_back_entry_id.map(EntryId::uuid),
    };
    save_row::<Entity>(tx, row).await
}

fn refund(row: Model) -> Result<Refund, Fault> {
    Ok(Refund {
        id: row.id,
        top_up_id: TopUpId::from_uuid(row.top_up_id),
        credits: Credits::from_units(row.credits),
        amount_minor: row.amount_minor,
        reason: row.reason,
        status: word(RefundStatus::from_text, &row.status, "status")?,
        tries: row.tries,
        due_at: instant(row.due_at),
        actor: cause_of(&row.actor_kind, row.actor_key_id, row.actor_member_id)?,
        created_at: Timestamp::from_millis(row.created_at),
        is_exact: row.is_exact,
        entry_id: row.entry_id.map(EntryId::from_uuid),
        came_back_entry_id: row.came_back_entry_id.map(EntryId::from_uuid),
    })
}

/// Finds a refund as the transaction sees it.
pub(in super::super) async fn find(tx: &Transaction, account_id: AccountId, id: Uuid) -> Result<Option<Refund>, Fault> {
    let row = Entity::find_by_id((account_id.number(), id)).one(tx).await?;
    row.map(refund).transpose()
}

/// Returns the refunds of a top-up as the transaction sees them, oldest first.
pub(in super::super) async fn of_top_up(
    tx: &Transaction,
    account_id: AccountId,
    top_up_id: TopUpId,
) -> Result<Vec<Refund>, Fault> {
    let rows = Entity::find()
        .filter(Column::AccountId.eq(account_id.number()))
        .filter(Column::TopUpId.eq(top_up_id.uuid()))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id)
        .all(tx)
        .await?;
    rows.into_iter().map(refund).collect()
}

/// Returns refunds that a worker may process.
pub(in super::super) async fn due(
    database: &Database,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<(AccountId, Uuid)>, Fault> {
    due_ids(database.read(), ("top_up_refund", "due_at"), now, limit).await
}
