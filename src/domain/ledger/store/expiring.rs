//! Credits that are going to expire, of one locked account.

use sea_orm::{ConnectionTrait, Statement, Value};

use crate::domain::database::Transaction;
use crate::domain::fault::Fault;
use crate::domain::ledger::model::MAX_LOTS;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::AccountId;

/// Returns the credits that expire after `from` and by `until`, grouped by the hour: the first instant of each
/// group with its sum.
pub(in crate::domain::ledger) async fn expiring(
    tx: &Transaction,
    account_id: AccountId,
    (from, until): (Timestamp, Timestamp),
) -> Result<Vec<(Timestamp, Credits)>, Fault> {
    let sql = format!(
        "SELECT MIN(expires_at) AS first_at, CAST(SUM(remaining) AS BIGINT) AS credits FROM credit_lot \
         WHERE account_id = $1 AND remaining > 0 AND expires_at IS NOT NULL AND expires_at > $2 AND expires_at <= $3 \
         GROUP BY expires_at / 3600000 ORDER BY first_at LIMIT {MAX_LOTS}"
    );
    let values: [Value; 3] = [account_id.number().into(), from.millis().into(), until.millis().into()];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    let rows = tx.query_all_raw(statement).await?;
    rows.iter()
        .map(|row| {
            let at = Timestamp::from_millis(row.try_get("", "first_at")?);
            Ok((at, Credits::from_units(row.try_get("", "credits")?)))
        })
        .collect()
}

/// Returns when the next credits expire after `after`.
pub(in crate::domain::ledger) async fn next_expiry(
    tx: &Transaction,
    account_id: AccountId,
    after: Timestamp,
) -> Result<Option<Timestamp>, Fault> {
    let sql = "SELECT MIN(expires_at) AS first_at FROM credit_lot \
               WHERE account_id = $1 AND remaining > 0 AND expires_at IS NOT NULL AND expires_at > $2";
    let values: [Value; 2] = [account_id.number().into(), after.millis().into()];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    let row = tx.query_one_raw(statement).await?;
    let first = row.map(|row| row.try_get::<Option<i64>>("", "first_at")).transpose()?;
    Ok(first.flatten().map(Timestamp::from_millis))
}
