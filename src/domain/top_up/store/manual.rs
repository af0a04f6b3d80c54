//! Rows that need a person, across accounts. The statements cover all accounts, so they name none.

use sea_orm::Value;
use uuid::Uuid;

use crate::domain::database::Database;
use crate::domain::database::select::Select;
use crate::domain::fault::Fault;
use crate::domain::top_up::TopUpPosition;
use crate::domain::top_up::manual::{FailedRefund, UnsettledTopUp};
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, TopUpId};

/// Reads by the index of open attempts, which contains no finished ones.
const UNSETTLED: &str = "SELECT account_id, top_up_id, COALESCE(unknown_since, created_at) AS unknown_since, created_at \
     FROM top_up_attempt WHERE due_at > 0 AND is_escalated AND (created_at, top_up_id) > ($1, $2) \
     ORDER BY created_at, top_up_id LIMIT $3";

/// Reads by two indexes that contain failed refunds alone, and money that came back.
const FAILED: &str = "SELECT failed.account_id, failed.top_up_id, failed.at, failed.credits, failed.amount_minor, a.currency, failed.reason \
     FROM (SELECT * FROM (
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
    let select = Select::across(database, UNSETTLED).with([at.into(), id.into(), count(limit)]);
    let rows: Vec<(AccountId, TopUpId, Timestamp, Timestamp)> = select.values(database).await?;
    let rows = rows
        .into_iter()
        .map(|(account_id, top_up_id, unknown_since, created_at)| {
            let unsettled = UnsettledTopUp {
                account_id,
                top_up_id,
                unknown_since,
            };
            ((created_at, top_up_id), unsettled)
        });
    Ok(rows.collect())
}

/// Returns refunds that failed or whose money came back after `since`, the latest first.
pub(in super::super) async fn failed_refunds(
    database: &Database,
    since: Timestamp,
    after: Option<TopUpPosition>,
    limit: u64,
) -> Result<Vec<(TopUpPosition, FailedRefund)>, Fault> {
    let (at, id) = after.map_or((i64::MAX, Uuid::max()), |(at, id)| (at.millis(), id.uuid()));
    let values = [since.into(), at.into(), id.into(), count(limit)];
    let failed: Vec<FailedRefund> = Select::across(database, FAILED).with(values).records(database).await?;
    let failed = failed.into_iter();
    Ok(failed.map(|refund| ((refund.at, refund.top_up_id), refund)).collect())
}
