//! Mails to previous addresses of contacts.

use sea_orm::{ConnectionTrait, Statement, Value};
use uuid::Uuid;

use crate::domain::database::bulk::Record;
use crate::domain::database::records::{self, FromRow, column_list};
use crate::domain::database::{Database, Transaction};
use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::AccountId;

/// A mail to an old address. The holder of the claim may send it until the claim runs out.
#[derive(Clone, Debug, Record, FromRow)]
pub(in super::super) struct AddressNotice {
    pub(in super::super) account_id: AccountId,
    pub(in super::super) id: Uuid,
    pub(in super::super) email: String,
    pub(in super::super) locale: String,
    pub(in super::super) created_at: Timestamp,
    pub(in super::super) attempts: i32,
}

#[derive(Record, FromRow)]
struct DueNotice {
    #[record(flatten)]
    notice: AddressNotice,
    #[record(name = "next_attempt_at")]
    due: Timestamp,
}

/// Whether any mail is pending. It avoids a transaction that would find none.
pub(in super::super) async fn is_address_notice_due(database: &Database, now: Timestamp) -> Result<bool, Fault> {
    let sql = "SELECT 1 AS due FROM address_notice WHERE next_attempt_at <= $1 LIMIT 1";
    let statement = Statement::from_sql_and_values(database.backend(), sql, [now.millis().into()]);
    Ok(database.read().query_one_raw(statement).await?.is_some())
}

/// Claims up to `limit` pending mails, so that two processes never send the same one.
pub(in super::super) async fn claim_address_notices(
    tx: &Transaction,
    (now, until): (Timestamp, Timestamp),
    limit: i64,
) -> Result<Vec<AddressNotice>, Fault> {
    let backend = tx.get_database_backend();
    let sql = format!(
        "SELECT {} FROM address_notice WHERE next_attempt_at <= $1 ORDER BY next_attempt_at, account_id, id LIMIT $2",
        column_list::<DueNotice>()
    );
    let due: Vec<DueNotice> = records::all(tx, sql, [now.into(), limit.into()]).await?;
    let mut claimed = Vec::with_capacity(due.len());
    for DueNotice { mut notice, due } in due {
        notice.attempts += 1;
        let sql = "UPDATE address_notice SET attempts = attempts + 1, next_attempt_at = $4 \
                   WHERE account_id = $1 AND id = $2 AND next_attempt_at = $3";
        let values: [Value; 4] = [
            notice.account_id.number().into(),
            notice.id.into(),
            due.into(),
            until.millis().into(),
        ];
        let done = tx
            .execute_raw(Statement::from_sql_and_values(backend, sql, values))
            .await?;
        if done.rows_affected() == 1 {
            claimed.push(notice);
        }
    }
    Ok(claimed)
}

/// Ends a claim: the mail is retried at an instant, or never.
pub(in super::super) async fn end_address_notice(
    tx: &Transaction,
    notice: &AddressNotice,
    next: Option<Timestamp>,
) -> Result<(), Fault> {
    let key: [Value; 3] = [
        notice.account_id.number().into(),
        notice.id.into(),
        notice.attempts.into(),
    ];
    let (sql, values) = match next {
        None => (
            "DELETE FROM address_notice WHERE account_id = $1 AND id = $2 AND attempts = $3",
            key.to_vec(),
        ),
        Some(next) => (
            "UPDATE address_notice SET next_attempt_at = $4 WHERE account_id = $1 AND id = $2 AND attempts = $3",
            key.into_iter().chain([next.millis().into()]).collect(),
        ),
    };
    tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values))
        .await?;
    Ok(())
}
