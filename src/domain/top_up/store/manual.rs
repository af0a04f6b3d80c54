//! Rows that need a person, across accounts. The statements cover all accounts, so they name none.

use sea_orm::{ConnectionTrait, Statement, Value};
use uuid::Uuid;

use crate::domain::database::Database;
use crate::domain::database::select::Row;
use crate::domain::fault::Fault;
use crate::domain::ledger::credit_log::store::broken;
use crate::domain::top_up::TopUpPosition;
use crate::domain::top_up::manual::{FailedRefund, UnsettledTopUp};
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, TopUpId};
use crate::primitives::money::Money;

/// Reads by the index of open attempts, which contains no finished ones.
const UNSETTLED: &str = "SELECT account_id, top_up_id, COALESCE(unknown_since, created_at) AS unknown_since, created_at \
     FROM top_up_attempt WHERE due_at > 0 AND is_escalated AND (created_at, top_up_id) > ($1, $2) \
     ORDER BY created_at, top_up_id LIMIT $3";

/// Reads by two indexes that contain failed refunds alone, and money that came back.
const FAILED: &str = "SELECT failed.*, a.currency FROM (SELECT * FROM (
        SELECT f.account_id, f.top_up_id, f.created_at AS at, f.credits, f.amount_minor, f.reason FROM top_up_refund AS f
        WHERE f.status = 'FAILED' AND f.created_at > $1 AND (f.created_at, f.top_up_id) < ($2, $3) AND NOT EXISTS (
            SELECT 1 FROM top_up_refund AS again WHERE again.account_id = f.account_id AND again.top_up_id = f.top_up_id
              AND again.created_at > f.created_at AND again.status <> 'FAILED')
        ORDER BY f.created_at DESC, f.top_up_id DESC LIMIT $4) AS refused
     UNION ALL SELECT * FROM (
        SELECT t.account_id, t.id AS top_up_id, t.came_back_at AS at, CAST(NULL AS BIGINT) AS credits,
            t.came_back_minor AS amount_minor, CAST(NULL AS TEXT) AS reason FROM top_up AS t
        WHERE t.came_back_at IS NOT NULL AND t.came_back_at > $1 AND (t.came_back_at, t.id) < ($2, $3) AND NOT EXISTS (
            SELECT 1 FROM top_up_refund AS again WHERE again.account_id = t.account_id AND again.top_up_id = t.id
              AND again.created_at > t.came_back_at AND again.status <> 'FAILED')
        ORDER BY t.came_back_at DESC, t.id DESC LIMIT $4) AS came_back) AS failed
     JOIN account AS a ON a.account_id = failed.account_id ORDER BY at DESC, top_up_id DESC LIMIT $4";

async fn all(database: &Database, sql: &str, values: Vec<Value>) -> Result<Vec<Row>, Fault> {
    let statement = Statement::from_sql_and_values(database.backend(), sql, values);
    Ok(database.read().query_all_raw(statement).await?)
}

fn count(limit: u64) -> Value {
    i64::try_from(limit).unwrap_or(i64::MAX).into()
}

/// Returns top-ups whose outcome cannot be found out automatically, the oldest attempt first.
pub(in super::super) async fn unsettled(
    database: &Database,
    after: Option<TopUpPosition>,
    limit: u64,
) -> Result<Vec<(TopUpPosition, UnsettledTopUp)>, Fault> {
    let (at, id) = after.map_or((i64::MIN, Uuid::nil()), |(at, id)| (at.millis(), id.uuid()));
    let rows = all(database, UNSETTLED, vec![at.into(), id.into(), count(limit)]).await?;
    let read = |row: &Row| {
        let top_up_id = TopUpId::from_uuid(row.try_get("", "top_up_id")?);
        let unsettled = UnsettledTopUp {
            account_id: AccountId::from_number(row.try_get("", "account_id")?),
            top_up_id,
            unknown_since: Timestamp::from_millis(row.try_get("", "unknown_since")?),
        };
        let position = (Timestamp::from_millis(row.try_get("", "created_at")?), top_up_id);
        Ok((position, unsettled))
    };
    rows.iter().map(read).collect()
}

/// Returns refunds that failed or whose money came back after `since`, the latest first.
pub(in super::super) async fn failed_refunds(
    database: &Database,
    since: Timestamp,
    after: Option<TopUpPosition>,
    limit: u64,
) -> Result<Vec<(TopUpPosition, FailedRefund)>, Fault> {
    let (at, id) = after.map_or((i64::MAX, Uuid::max()), |(at, id)| (at.millis(), id.uuid()));
    let values = vec![since.millis().into(), at.into(), id.into(), count(limit)];
    let rows = all(database, FAILED, values).await?;
    let read = |row: &Row| {
        let top_up_id = TopUpId::from_uuid(row.try_get("", "top_up_id")?);
        let at = Timestamp::from_millis(row.try_get("", "at")?);
        let currency: String = row.try_get("", "currency")?;
        let refund = FailedRefund {
            account_id: AccountId::from_number(row.try_get("", "account_id")?),
            top_up_id,
            at,
            credits: row.try_get::<Option<i64>>("", "credits")?.map(Credits::from_units),
            amount: Money {
                minor: row.try_get("", "amount_minor")?,
                currency: currency.parse().map_err(|_| broken("currency"))?,
            },
            reason: row.try_get("", "reason")?,
        };
        Ok(((at, top_up_id), refund))
    };
    rows.iter().map(read).collect()
}
