//! Messages that are due: claimed, and how their attempts ended.

use entity::webhook_attempt;
use sea_orm::{ConnectionTrait, Statement, Value};

use super::super::model::{WebhookAttempt, WebhookMessage, WebhookMessageStatus};
use crate::domain::database::bulk::Record;
use crate::domain::database::records::{self, column_list};
use crate::domain::database::select::{Condition, Select};
use crate::domain::database::{Database, Transaction};
use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, WebhookEndpointId, WebhookMessageId};

/// The maximum number of attempts of a message that are kept: the newest.
const MOST_ATTEMPTS_KEPT: i32 = 50;

/// Returns up to `limit` messages that are due, without those to endpoints of these accounts and to these endpoints.
pub(in super::super) async fn due(
    database: &Database,
    now: Timestamp,
    (accounts, endpoints): (Vec<AccountId>, Vec<WebhookEndpointId>),
    limit: usize,
) -> Result<Vec<WebhookMessage>, Fault> {
    let columns = column_list::<WebhookMessage>();
    let text = format!(
        "SELECT {columns} FROM webhook_message WHERE status IN ('PENDING', 'SENDING') AND next_attempt_at <= $1 \
         AND NOT ("
    );
    let mut select = Select::across(database, &text).with([now.into()]);
    let endpoints = endpoints.into_iter().map(WebhookEndpointId::uuid).collect();
    select
        .condition(&Condition::Any(vec![
            Condition::Accounts("endpoint_account_id", accounts),
            Condition::Uuids("endpoint_id", endpoints),
        ]))
        .push(")")
        .push(" ORDER BY next_attempt_at LIMIT ")
        .bind(i64::try_from(limit).unwrap_or(i64::MAX));
    select.records(database).await
}

/// Claims messages that were found due. Returns those that were still unchanged, as they are then. A claim is stored before anything
/// is sent, so that two processes never send the same message. It runs out, so that a process that dies blocks nothing.
pub(in super::super) async fn claim(
    tx: &Transaction,
    due: &[WebhookMessage],
    until: Timestamp,
) -> Result<Vec<WebhookMessage>, Fault> {
    let sql = "UPDATE webhook_message SET status = 'SENDING', attempts = attempts + 1, next_attempt_at = $4 \
               WHERE account_id = $1 AND id = $2 AND next_attempt_at = $3 AND status IN ('PENDING', 'SENDING')";
    let mut claimed = Vec::with_capacity(due.len());
    for message in due {
        let values: [Value; 4] = [
            message.account_id.into(),
            message.id.into(),
            message.next_attempt_at.map(Timestamp::millis).into(),
            until.into(),
        ];
        let done = tx
            .execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values))
            .await?;
        if done.rows_affected() == 1 {
            claimed.push(WebhookMessage {
                status: WebhookMessageStatus::Sending,
                attempts: message.attempts + 1,
                next_attempt_at: Some(until),
                ..message.clone()
            });
        }
    }
    Ok(claimed)
}

#[derive(Record)]
struct AttemptRow<'a> {
    account_id: AccountId,
    #[record(flatten)]
    attempt: &'a WebhookAttempt,
}

/// Records how the attempt of a claimed message ended; `ended` is its new state. A message whose claim ran out, and that another
/// process has tried since, keeps its state.
pub(in super::super) async fn end_attempt(
    tx: &Transaction,
    ended: &WebhookMessage,
    attempt: &WebhookAttempt,
) -> Result<(), Fault> {
    let sql = "UPDATE webhook_message SET status = $4, failures = $5, next_attempt_at = $6, delivered_at = $7 \
               WHERE account_id = $1 AND id = $2 AND attempts = $3 AND status = 'SENDING'";
    let values: [Value; 7] = [
        ended.account_id.into(),
        ended.id.into(),
        ended.attempts.into(),
        ended.status.as_str().into(),
        ended.failures.into(),
        ended.next_attempt_at.map(Timestamp::millis).into(),
        ended.delivered_at.map(Timestamp::millis).into(),
    ];
    tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values))
        .await?;
    let row = AttemptRow {
        account_id: ended.account_id,
        attempt,
    };
    records::save::<webhook_attempt::Entity>(tx, &row).await?;
    if attempt.number <= MOST_ATTEMPTS_KEPT {
        return Ok(());
    }
    let sql = "DELETE FROM webhook_attempt WHERE account_id = $1 AND message_id = $2 AND number <= $3";
    let kept_after = attempt.number - MOST_ATTEMPTS_KEPT;
    let values: [Value; 3] = [ended.account_id.into(), ended.id.into(), kept_after.into()];
    tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values))
        .await?;
    Ok(())
}

/// Ends a claimed message that is not sent, because its endpoint gets nothing any more.
pub(in super::super) async fn discard(
    tx: &Transaction,
    (account_id, id): (AccountId, WebhookMessageId),
    attempts: i32,
) -> Result<(), Fault> {
    let sql = "UPDATE webhook_message SET status = 'DISCARDED', next_attempt_at = NULL, attempts = attempts - 1 \
               WHERE account_id = $1 AND id = $2 AND attempts = $3 AND status = 'SENDING'";
    let values = [account_id.into(), id.into(), attempts.into()];
    tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values))
        .await?;
    Ok(())
}
