//! Rows of received webhooks.

use entity::webhook_inbox::{Column, Entity, Model};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::domain::database::{Database, Transaction};
use crate::domain::fault::Fault;
use crate::domain::top_up::WebhookPosition;
use crate::domain::top_up::webhooks::{StoredWebhook, WebhookStatus};
use crate::primitives::clock::Timestamp;

use super::{instant, save_row, word};

fn webhook(row: Model) -> Result<StoredWebhook, Fault> {
    Ok(StoredWebhook {
        event_id: row.event_id,
        kind: row.kind,
        object_id: row.object_id,
        body: row.body,
        status: word(WebhookStatus::from_text, &row.status, "status")?,
        tries: row.tries,
        last_error: row.last_error,
        received_at: Timestamp::from_millis(row.received_at),
        applied_at: instant(row.applied_at),
        due_at: instant(row.due_at),
    })
}

/// Writes a new or changed webhook.
pub(in super::super) async fn save(tx: &Transaction, gateway: &str, webhook: &StoredWebhook) -> Result<(), Fault> {
    let row = Model {
        gateway: gateway.to_owned(),
        event_id: webhook.event_id.clone(),
        kind: webhook.kind.clone(),
        object_id: webhook.object_id.clone(),
        body: webhook.body.clone(),
        status: webhook.status.as_str().to_owned(),
        tries: webhook.tries,
        last_error: webhook.last_error.clone(),
        received_at: webhook.received_at.millis(),
        applied_at: webhook.applied_at.map(Timestamp::millis),
        due_at: webhook.due_at.map(Timestamp::millis),
    };
    save_row::<Entity>(tx, row).await
}

/// Stores a webhook. A webhook that was received before is scheduled again: its object is read once more, which is harmless.
/// Ignoring it would lose the work that a first try did not finish.
pub(in super::super) async fn receive(tx: &Transaction, gateway: &str, new: &StoredWebhook) -> Result<(), Fault> {
    let known = find(tx, gateway, &new.event_id).await?;
    let kept = match known {
        Some(known) => StoredWebhook {
            status: WebhookStatus::Pending,
            tries: 0,
            due_at: new.due_at,
            ..known
        },
        None => new.clone(),
    };
    save(tx, gateway, &kept).await
}

/// Returns a webhook by the gateway's id.
pub(in super::super) async fn find(
    connection: &impl ConnectionTrait,
    gateway: &str,
    event_id: &str,
) -> Result<Option<StoredWebhook>, Fault> {
    let key = (gateway.to_owned(), event_id.to_owned());
    Entity::find_by_id(key).one(connection).await?.map(webhook).transpose()
}

/// Returns webhooks that a worker may process.
pub(in super::super) async fn due(
    database: &Database,
    gateway: &str,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<StoredWebhook>, Fault> {
    let rows = Entity::find()
        .filter(Column::DueAt.lte(now.millis()))
        .filter(Column::Gateway.eq(gateway))
        .order_by_asc(Column::DueAt)
        .limit(u64::from(limit))
        .all(database.read())
        .await?;
    rows.into_iter().map(webhook).collect()
}

/// Returns webhooks that were given up, in the order in which they were received.
pub(in super::super) async fn parked(
    database: &Database,
    gateway: &str,
    after: Option<&WebhookPosition>,
    limit: u64,
) -> Result<Vec<StoredWebhook>, Fault> {
    let mut query = Entity::find()
        .filter(Column::Status.eq(WebhookStatus::Parked.as_str()))
        .filter(Column::Gateway.eq(gateway))
        .order_by_asc(Column::ReceivedAt)
        .order_by_asc(Column::EventId)
        .limit(limit);
    if let Some((received_at, event_id)) = after {
        let millis = received_at.millis();
        let is_later = Condition::any()
            .add(Column::ReceivedAt.gt(millis))
            .add(Column::EventId.gt(event_id.as_str()));
        query = query.filter(Column::ReceivedAt.gte(millis)).filter(is_later);
    }
    let rows = query.all(database.read()).await?;
    rows.into_iter().map(webhook).collect()
}
