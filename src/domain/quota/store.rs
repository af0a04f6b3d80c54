//! Rows of counts.

use sea_orm::{ConnectionTrait, Statement, Value};

use super::Quota;
use crate::domain::database::Transaction;
use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;

/// Since when a quota is counted, and how often it was used.
pub(super) async fn used(tx: &Transaction, quota: &Quota) -> Result<Option<(Timestamp, i64)>, Fault> {
    let sql = "SELECT started_at, used FROM quota WHERE scope = $1 AND subject = $2";
    let values: [Value; 2] = [quota.scope.into(), quota.subject.clone().into()];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    let row = tx.query_one_raw(statement).await?;
    row.map(|row| {
        let started_at = Timestamp::from_millis(row.try_get("", "started_at")?);
        Ok((started_at, row.try_get("", "used")?))
    })
    .transpose()
}

/// Uses a quota once, by one statement, so that it is exact however many processes do so. Returns whether it was not used up.
pub(super) async fn spend(tx: &Transaction, quota: &Quota, now: Timestamp) -> Result<bool, Fault> {
    let sql = "INSERT INTO quota (scope, subject, started_at, used) VALUES ($1, $2, $3, 1) \
               ON CONFLICT (scope, subject) DO UPDATE SET \
               used = CASE WHEN quota.started_at <= $4 THEN 1 ELSE quota.used + 1 END, \
               started_at = CASE WHEN quota.started_at <= $4 THEN excluded.started_at ELSE quota.started_at END \
               WHERE quota.started_at <= $4 OR quota.used < $5";
    let values: [Value; 5] = [
        quota.scope.into(),
        quota.subject.clone().into(),
        now.millis().into(),
        (now.millis() - quota.millis).into(),
        i64::from(quota.most).into(),
    ];
    let done = tx
        .execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values))
        .await?;
    Ok(done.rows_affected() == 1)
}
