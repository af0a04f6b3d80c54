//! Rows of received webhooks.

use entity::webhook_inbox::{Column, Entity};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Statement};

use crate::domain::database::bulk::Record;
use crate::domain::database::{Database, Transaction, records};
use crate::domain::fault::Fault;
use crate::domain::top_up::WebhookPosition;
use crate::domain::top_up::webhooks::{StoredWebhook, WebhookStatus};
use crate::primitives::clock::Timestamp;

#[derive(Record)]
struct WebhookRow<'a> {
    #[record(text)]
    gateway: &'a str,
    #[record(flatten)]
    webhook: &'a StoredWebhook,
}

/// Writes a new or changed webhook.
pub(in super::super) async fn save(tx: &Transaction, gateway: &str, webhook: &StoredWebhook) -> Result<(), Fault> {
    records::save::<Entity>(tx, &WebhookRow { gateway, webhook }).await
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
    records::find_one(connection, Entity::find_by_id(key)).await
}

/// Returns webhooks that a worker may process.
pub(in super::super) async fn due(
    database: &Database,
    gateway: &str,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<StoredWebhook>, Fault> {
    let query = Entity::find()
        .filter(Column::DueAt.lte(now))
        .filter(Column::Gateway.eq(gateway))
        .order_by_asc(Column::DueAt)
        .limit(u64::from(limit));
    records::find(database.read(), query).await
}

/// Deletes up to `limit` processed webhooks that were received before an instant. Returns their number. A webhook that is scheduled again
/// at this moment stays.
pub(in super::super) async fn delete_processed(tx: &Transaction, before: Timestamp, limit: u32) -> Result<u64, Fault> {
    let sql = "DELETE FROM webhook_inbox WHERE status = 'APPLIED' AND received_at < $1 AND (gateway, event_id) IN \
               (SELECT gateway, event_id FROM webhook_inbox WHERE status = 'APPLIED' AND received_at < $1 \
               ORDER BY received_at LIMIT $2)";
    let values = [before.into(), i64::from(limit).into()];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    Ok(tx.execute_raw(statement).await?.rows_affected())
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
    records::find(database.read(), query).await
}
