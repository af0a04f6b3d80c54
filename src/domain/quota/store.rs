//! SQL of counts.

use sea_orm::{ConnectionTrait, Statement, Value};

use super::Quota;
use crate::domain::database::{Transaction, records};
use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;

/// Returns when the count of a quota starts over, and how often it was used.
pub(super) async fn used(tx: &Transaction, quota: &Quota) -> Result<Option<(Timestamp, i64)>, Fault> {
    let sql = "SELECT ends_at, used FROM quota WHERE scope = $1 AND subject = $2";
    records::value(tx, sql, [quota.scope.into(), quota.subject.clone().into()]).await
}

/// Uses a quota once, by one statement, so that it is exact however many processes do so. Returns false when it was used up.
pub(super) async fn spend(tx: &Transaction, quota: &Quota, now: Timestamp) -> Result<bool, Fault> {
    let sql = "INSERT INTO quota (scope, subject, ends_at, used) VALUES ($1, $2, $3, 1) \
               ON CONFLICT (scope, subject) DO UPDATE SET \
               used = CASE WHEN quota.ends_at <= $4 THEN 1 ELSE quota.used + 1 END, \
               ends_at = CASE WHEN quota.ends_at <= $4 THEN excluded.ends_at ELSE quota.ends_at END \
               WHERE quota.ends_at <= $4 OR quota.used < $5";
    let values: [Value; 5] = [
        quota.scope.into(),
        quota.subject.clone().into(),
        now.plus_millis(quota.millis).millis().into(),
        now.millis().into(),
        i64::from(quota.most).into(),
    ];
    let done = tx
        .execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values))
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Deletes some of the counts that have ended, the earliest first. A count that is used at this moment stays.
pub(super) async fn delete_ended(tx: &Transaction, now: Timestamp, limit: u32) -> Result<u64, Fault> {
    let sql = "DELETE FROM quota WHERE ends_at <= $1 AND (scope, subject) IN \
               (SELECT scope, subject FROM quota WHERE ends_at <= $1 ORDER BY ends_at LIMIT $2)";
    let values: [Value; 2] = [now.millis().into(), i64::from(limit).into()];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    Ok(tx.execute_raw(statement).await?.rows_affected())
}
