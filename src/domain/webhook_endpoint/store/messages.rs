//! Rows of messages and attempts, as they are written and listed.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, Statement};
use uuid::Uuid;

use super::super::model::{WebhookAttempt, WebhookMessage, WebhookMessageStatus};
use crate::domain::database::bulk::{Record, Rows};
use crate::domain::database::keyset::{Branch, Keyset};
use crate::domain::database::records::{self, column_list};
use crate::domain::database::select::{Condition, Select, Source};
use crate::domain::database::{Database, Transaction};
use crate::domain::event::StreamPosition;
use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, WebhookEndpointId, WebhookMessageId};

const TABLE: &str = "webhook_message";

/// A message to be written.
#[derive(Clone, Debug)]
pub(in super::super) struct NewMessage {
    pub(in super::super) message: WebhookMessage,
    /// The event that it is about. `None` for a test.
    pub(in super::super) position: Option<StreamPosition>,
}

#[derive(Record)]
struct MessageRow<'a> {
    #[record(flatten)]
    message: &'a WebhookMessage,
    sequence: Option<i64>,
    nonce: Option<i64>,
}

fn rows(messages: &[NewMessage]) -> Rows {
    Rows::of(messages.iter().map(|new| MessageRow {
        message: &new.message,
        sequence: new.position.map(|position| position.sequence),
        nonce: new.position.map(|position| position.nonce),
    }))
}

async fn write(tx: &Transaction, messages: &[NewMessage], conflict: &str) -> Result<(), Fault> {
    let rows = rows(messages);
    if !rows.is_empty() {
        tx.execute_raw(rows.insert(tx.get_database_backend(), TABLE, conflict))
            .await?;
    }
    Ok(())
}

/// Writes messages of one account. An endpoint has one message about an event: a second one is left out.
pub(in super::super) async fn insert(tx: &Transaction, messages: &[NewMessage]) -> Result<(), Fault> {
    write(
        tx,
        messages,
        "ON CONFLICT (account_id, endpoint_id, sequence) DO NOTHING",
    )
    .await
}

/// Writes messages of one account, or has those that exist sent again under their ids.
pub(in super::super) async fn insert_or_requeue(tx: &Transaction, messages: &[NewMessage]) -> Result<(), Fault> {
    let again = "ON CONFLICT (account_id, endpoint_id, sequence) DO UPDATE SET status = 'PENDING', failures = 0, \
                 next_attempt_at = excluded.next_attempt_at, delivered_at = NULL WHERE webhook_message.status <> 'SENDING'";
    write(tx, messages, again).await
}

/// Has a message sent again at once, unless it is being sent.
pub(in super::super) async fn requeue(
    tx: &Transaction,
    account_id: AccountId,
    id: WebhookMessageId,
    now: Timestamp,
) -> Result<(), Fault> {
    let sql = "UPDATE webhook_message SET status = 'PENDING', failures = 0, next_attempt_at = $3, delivered_at = NULL \
               WHERE account_id = $1 AND id = $2 AND status <> 'SENDING'";
    let values = [account_id.into(), id.into(), now.into()];
    tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values))
        .await?;
    Ok(())
}

/// Returns a message by id.
pub(in super::super) async fn message(
    source: &impl Source,
    account_id: AccountId,
    id: WebhookMessageId,
) -> Result<Option<WebhookMessage>, Fault> {
    let mut select = Select::from::<WebhookMessage>(source, account_id, TABLE);
    select.push(" AND id = ").bind(id.uuid());
    let found: Vec<WebhookMessage> = select.records(source).await?;
    Ok(found.into_iter().next())
}

/// Returns messages by id.
pub(in super::super) async fn messages_by_id(
    database: &Database,
    account_id: AccountId,
    ids: &[WebhookMessageId],
) -> Result<Vec<WebhookMessage>, Fault> {
    let select = Select::by_ids::<WebhookMessage>(database, account_id, TABLE, ids);
    select.records(database).await
}

/// The messages about an account to an endpoint that meet `residuals`, by their creation.
pub(in super::super) fn messages_keyset(
    endpoint_id: WebhookEndpointId,
    residuals: Vec<Condition>,
) -> Keyset<(i64, Uuid)> {
    Keyset {
        branches: vec![Branch {
            column: "endpoint_id",
            value: endpoint_id.uuid().into(),
        }],
        residuals,
        ..Keyset::new(TABLE, &["created_at", "id"], column_list::<WebhookMessage>())
    }
}

/// Returns the newest attempts of these messages, the first attempt first. The caller has bounded the number of messages; of a message
/// the newest 50 attempts are kept.
pub(in super::super) async fn attempts_of(
    database: &Database,
    account_id: AccountId,
    messages: &[WebhookMessageId],
) -> Result<HashMap<WebhookMessageId, Vec<WebhookAttempt>>, Fault> {
    let mut select = Select::from::<WebhookAttempt>(database, account_id, "webhook_attempt");
    let ids = messages.iter().map(|id| id.uuid()).collect();
    select.and_all(&[Condition::Uuids("message_id", ids)]);
    select.push(" ORDER BY message_id, number");
    let found: Vec<WebhookAttempt> = select.records(database).await?;
    let mut attempts: HashMap<WebhookMessageId, Vec<WebhookAttempt>> = HashMap::new();
    for attempt in found {
        attempts.entry(attempt.message_id).or_default().push(attempt);
    }
    Ok(attempts)
}

/// Deletes up to `limit` messages that ended and were created before an instant, with their attempts. Returns their number.
pub(in super::super) async fn delete_ended(tx: &Transaction, before: Timestamp, limit: u32) -> Result<usize, Fault> {
    let ended = [
        WebhookMessageStatus::Delivered,
        WebhookMessageStatus::Failed,
        WebhookMessageStatus::Discarded,
    ];
    let names = ended.map(|status| format!("'{}'", status.as_str())).join(", ");
    let sql = format!(
        "SELECT account_id, id FROM webhook_message WHERE status IN ({names}) AND created_at < $1 ORDER BY created_at LIMIT $2"
    );
    let old: Vec<(AccountId, WebhookMessageId)> =
        records::values(tx, sql, [before.into(), i64::from(limit).into()]).await?;
    let backend = tx.get_database_backend();
    let mut deleted = 0;
    for (account_id, id) in &old {
        let of = || [(*account_id).into(), (*id).into()];
        // Meanwhile it may have been queued again.
        let sql = format!("DELETE FROM webhook_message WHERE account_id = $1 AND id = $2 AND status IN ({names})");
        let gone = tx
            .execute_raw(Statement::from_sql_and_values(backend, sql, of()))
            .await?;
        if gone.rows_affected() == 1 {
            let sql = "DELETE FROM webhook_attempt WHERE account_id = $1 AND message_id = $2";
            tx.execute_raw(Statement::from_sql_and_values(backend, sql, of()))
                .await?;
            deleted += 1;
        }
    }
    Ok(deleted)
}
