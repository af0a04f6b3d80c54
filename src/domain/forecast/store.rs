//! SQL of forecasts. Every statement scans a range of the index by time, which the caller has bounded.

use crate::domain::database::Database;
use crate::domain::database::select::Select;
use crate::domain::fault::Fault;
use crate::primitives::clock::{HOUR, Timestamp};
use crate::primitives::credits::Credits;
use crate::primitives::ids::AccountId;

use super::BalanceChange;

/// Returns the time of the `most`-th last entry or change of a hold, whichever is later, if there were as many from
/// `from` on.
pub(super) async fn begin(
    database: &Database,
    account_id: AccountId,
    from: Timestamp,
    most: i64,
) -> Result<Option<Timestamp>, Fault> {
    let mut select = Select::of(database, account_id, "SELECT ");
    let (from, most) = (select.placeholder(from.millis()), select.placeholder(most));
    let nth_last = |table: &str| {
        format!(
            "(SELECT occurred_at FROM {table} WHERE account_id = $1 AND occurred_at >= {from} \
             ORDER BY occurred_at DESC, sequence DESC LIMIT 1 OFFSET {most})"
        )
    };
    select.push(&format!(
        "{} AS entries, {} AS holds",
        nth_last("credit_entry"),
        nth_last("hold_movement")
    ));
    let found: Option<(Option<Timestamp>, Option<Timestamp>)> = select.value(database).await?;
    Ok(found.and_then(|(entry, hold)| entry.max(hold)))
}

/// Returns the time of the account's first entry, and the use of sessions in each hour with use, counted back from `now`.
pub(super) async fn used_by_hour(
    database: &Database,
    account_id: AccountId,
    (from, now): (Timestamp, Timestamp),
) -> Result<(Option<Timestamp>, Vec<(i64, Credits)>), Fault> {
    let first = "SELECT occurred_at FROM credit_entry WHERE account_id = $1 AND sequence = 1";
    let Some(first) = Select::of(database, account_id, first).value(database).await? else {
        return Ok((None, Vec::new()));
    };
    let mut select = Select::of(
        database,
        account_id,
        "SELECT hour, CAST(SUM(used) AS BIGINT) AS used FROM (SELECT (",
    );
    let (from, now) = (select.placeholder(from.millis()), select.placeholder(now.millis()));
    select.push(&format!(
        "CAST({now} AS BIGINT) - occurred_at) / {HOUR} AS hour, -amount AS used FROM credit_entry WHERE account_id = $1 \
         AND occurred_at >= {from} AND occurred_at <= {now} AND kind IN ('SESSION', 'SESSION_REFUND')) AS listed GROUP BY hour"
    ));
    Ok((Some(first), select.values(database).await?))
}

/// A condition for entries and holds of top-ups that are left out: those that the rule made, or all.
fn left_out(top_up: &str, keeps_manual: bool) -> String {
    if keeps_manual {
        format!("EXISTS (SELECT 1 FROM top_up AS t WHERE t.account_id = $1 AND t.id = {top_up} AND t.origin = 'AUTO')")
    } else {
        format!("{top_up} IS NOT NULL")
    }
}

/// The statement that lists the change of available credits at each instant, without the effects of left-out top-ups.
fn instants(select: &mut Select, (from, until): (Timestamp, Timestamp), keeps_manual: bool) -> String {
    let (from, until) = (select.placeholder(from.millis()), select.placeholder(until.millis()));
    let range = format!("account_id = $1 AND occurred_at >= {from} AND occurred_at <= {until}");
    format!(
        "SELECT occurred_at, CAST(SUM(change) AS BIGINT) AS change, MAX(paid) AS paid FROM (\
         SELECT occurred_at, amount AS change, CASE WHEN kind = 'TOP_UP' THEN 1 ELSE 0 END AS paid FROM credit_entry AS e WHERE {range} AND NOT {} \
         UNION ALL SELECT occurred_at, -amount, 0 FROM hold_movement AS h WHERE {range} \
         AND NOT (h.holder = 'TOP_UP' AND {})) AS moved GROUP BY occurred_at",
        left_out("e.top_up_id", keeps_manual),
        left_out("h.holder_id", keeps_manual),
    )
}

/// Returns the change of available credits at each instant, without the effects of left-out top-ups.
pub(super) async fn steps(
    database: &Database,
    account_id: AccountId,
    within: (Timestamp, Timestamp),
    keeps_manual: bool,
) -> Result<Vec<BalanceChange>, Fault> {
    let mut select = Select::of(database, account_id, "");
    let instants = instants(&mut select, within, keeps_manual);
    select.push(&format!("{instants} ORDER BY occurred_at"));
    let steps: Vec<(Timestamp, Credits, i32)> = select.values(database).await?;
    let steps = steps.into_iter().map(|(at, change, paid)| BalanceChange {
        at,
        low: change,
        change,
        is_paid: paid > 0,
    });
    Ok(steps.collect())
}

/// As [`steps`], grouped by hours: the low of each hour is the lowest available amount at any instant of it, so the simulation never
/// shows less than there was.
pub(super) async fn hours(
    database: &Database,
    account_id: AccountId,
    within: (Timestamp, Timestamp),
    keeps_manual: bool,
) -> Result<Vec<BalanceChange>, Fault> {
    let mut select = Select::of(database, account_id, "");
    let instants = instants(&mut select, within, keeps_manual);
    select.push(&format!(
        "SELECT hour, CAST(MIN(reached) AS BIGINT) AS low, CAST(SUM(change) AS BIGINT) AS change FROM (\
         SELECT occurred_at / {HOUR} AS hour, change, SUM(change) OVER (ORDER BY occurred_at ROWS UNBOUNDED PRECEDING) AS reached \
         FROM ({instants}) AS instants) AS ran GROUP BY hour ORDER BY hour"
    ));
    let mut before = 0_i64;
    let mut steps = Vec::new();
    for (hour, low, change) in select.values::<(i64, i64, i64)>(database).await? {
        steps.push(BalanceChange {
            at: Timestamp::from_millis(hour.saturating_mul(HOUR)).max(within.0),
            low: Credits::from_units(low.saturating_sub(before)),
            change: Credits::from_units(change),
            is_paid: false,
        });
        before = before.saturating_add(change);
    }
    Ok(steps)
}
