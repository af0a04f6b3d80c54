//! Reports of mail systems.

use sea_orm::{ConnectionTrait, Statement, Value};

use crate::domain::database::Transaction;
use crate::domain::database::bulk::Record;
use crate::domain::database::records::{self, FromRow, column_list};
use crate::domain::fault::Fault;
use crate::domain::member::ContactStatus;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, DeliveryId, RecipientId};

use super::super::model::{DeliveryStatus, MailFailure, Report, ReportEffect};

/// A delivery that was part of a mail.
#[derive(Clone, Debug, Record, FromRow)]
pub(in super::super) struct Mailed {
    pub(in super::super) id: DeliveryId,
    pub(in super::super) status: DeliveryStatus,
    pub(in super::super) attempts: i32,
    pub(in super::super) created_at: Timestamp,
    /// When it was last sent, if it was.
    pub(in super::super) sent_at: Option<Timestamp>,
    /// The address that it went to; none during the first try.
    pub(in super::super) address: Option<String>,
}

/// What is stored of a report besides its content.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Kept {
    pub(in super::super) account_id: AccountId,
    pub(in super::super) recipient: RecipientId,
    pub(in super::super) delivery_id: Option<DeliveryId>,
    pub(in super::super) received_at: Timestamp,
}

/// Whether a report was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum StoreResult {
    New,
    Known,
    /// The recipient does not exist.
    NoRecipient,
}

/// Returns all deliveries of one mail: the one whose id it has, and those that were sent with it.
pub(in super::super) async fn mailed(
    tx: &Transaction,
    account_id: AccountId,
    id: DeliveryId,
) -> Result<Vec<Mailed>, Fault> {
    let columns = column_list::<Mailed>();
    let sql = format!(
        "SELECT {columns} FROM delivery WHERE account_id = $1 AND id = $2 \
         UNION ALL SELECT {columns} FROM delivery WHERE account_id = $1 AND sent_with = $2"
    );
    records::all(tx, sql, [account_id.into(), id.into()]).await
}

/// Returns the status of a recipient's address, and since when it has this address and status. `None` where the recipient does not exist.
pub(in super::super) async fn standing_of(
    tx: &Transaction,
    account_id: AccountId,
    recipient: RecipientId,
) -> Result<Option<(ContactStatus, Option<Timestamp>)>, Fault> {
    let sql = "SELECT email_status, status_since FROM contact WHERE account_id = $1 AND recipient_id = $2";
    records::value(tx, sql, [account_id.into(), recipient.uuid().into()]).await
}

/// Whether a report confirmed that a mail arrived.
pub(in super::super) async fn has_arrived(
    tx: &Transaction,
    account_id: AccountId,
    id: DeliveryId,
) -> Result<bool, Fault> {
    let sql = "SELECT 1 AS arrived FROM mail_report \
               WHERE account_id = $1 AND delivery_id = $2 AND kind IN ('DELIVERED', 'COMPLAINT') LIMIT 1";
    let values: [Value; 2] = [account_id.number().into(), id.uuid().into()];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    Ok(tx.query_one_raw(statement).await?.is_some())
}

/// Stores a report, unless its id is known.
pub(in super::super) async fn keep_report(
    tx: &Transaction,
    kept: &Kept,
    report: &Report,
) -> Result<StoreResult, Fault> {
    let backend = tx.get_database_backend();
    if standing_of(tx, kept.account_id, kept.recipient).await?.is_none() {
        return Ok(StoreResult::NoRecipient);
    }
    let sql = "INSERT INTO mail_report (account_id, id, recipient_id, delivery_id, kind, address, reason, received_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";
    let values: [Value; 8] = [
        kept.account_id.number().into(),
        report.id.clone().into(),
        kept.recipient.uuid().into(),
        kept.delivery_id.map(DeliveryId::uuid).into(),
        report.kind.as_str().into(),
        report.address.clone().into(),
        report.reason.clone().into(),
        kept.received_at.millis().into(),
    ];
    let done = tx
        .execute_raw(Statement::from_sql_and_values(backend, sql, values))
        .await?;
    Ok(if done.rows_affected() == 1 {
        StoreResult::New
    } else {
        StoreResult::Known
    })
}

/// Stores the new state of a delivery after a report. The number of tries shows that the delivery has not changed since the
/// decision; its sender may meanwhile record the end of a try.
pub(in super::super) async fn apply_effect(
    tx: &Transaction,
    (account_id, mail): (AccountId, &Mailed),
    fate: ReportEffect,
    (failure, now): (Option<MailFailure>, Timestamp),
) -> Result<(), Fault> {
    let (status, next, sent_at) = match fate {
        ReportEffect::Unchanged => return Ok(()),
        ReportEffect::Sent => (DeliveryStatus::Sent, None, Some(now)),
        ReportEffect::Again(next) => (DeliveryStatus::Queued, Some(next), None),
        ReportEffect::GivenUp => (DeliveryStatus::Failed, None, None),
        ReportEffect::CameBack => (DeliveryStatus::Bounced, None, None),
    };
    let sql = "UPDATE delivery SET status = $4, next_attempt_at = $5, sent_at = COALESCE(sent_at, $6), last_error = $7 \
               WHERE account_id = $1 AND id = $2 AND attempts = $3 AND status IN ('QUEUED', 'SENDING', 'SENT', 'FAILED')";
    let values: [Value; 7] = [
        account_id.number().into(),
        mail.id.uuid().into(),
        mail.attempts.into(),
        status.as_str().into(),
        next.map(Timestamp::millis).into(),
        sent_at.map(Timestamp::millis).into(),
        failure.map(MailFailure::as_str).into(),
    ];
    tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values))
        .await?;
    Ok(())
}
