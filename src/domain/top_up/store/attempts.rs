//! Rows of attempts.

use std::collections::HashMap;

use entity::top_up_attempt::{Column, Entity};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, Statement};

use crate::domain::database::{Database, Transaction, records, select};
use crate::domain::fault::Fault;
use crate::domain::top_up::model::{Attempt, PaymentMethod, Purchase};
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, PaymentMethodId, TopUpAttemptId, TopUpId};
use crate::primitives::trace;

/// Returns a top-up with its attempts and refunds, as the transaction sees them.
pub(in super::super) async fn purchase(
    tx: &Transaction,
    account_id: AccountId,
    id: TopUpId,
) -> Result<Option<Purchase>, Fault> {
    let Some(top_up) = super::find(tx, account_id, id).await? else {
        return Ok(None);
    };
    let attempts = attempts_of(tx, account_id, &[id])
        .await?
        .remove(&id)
        .unwrap_or_default();
    let refunds = match top_up.entry_id {
        Some(_) => super::refunds_of(tx, account_id, id).await?,
        None => Vec::new(),
    };
    Ok(Some(Purchase {
        top_up,
        attempts,
        refunds,
    }))
}

/// Writes the changes of a purchase. Finished attempts are written before open ones: at most one attempt may be open.
pub(in super::super) async fn save_purchase(
    tx: &Transaction,
    before: Option<&Purchase>,
    after: &Purchase,
) -> Result<(), Fault> {
    if before.is_none_or(|before| before.top_up != after.top_up) {
        super::insert(tx, &after.top_up).await?;
    }
    let is_changed = |attempt: &&Attempt| before.is_none_or(|before| !before.attempts.contains(attempt));
    let (open, over): (Vec<&Attempt>, Vec<&Attempt>) = after
        .attempts
        .iter()
        .filter(is_changed)
        .partition(|attempt| attempt.is_open());
    for attempt in over.into_iter().chain(open) {
        records::save::<Entity>(tx, attempt).await?;
        let is_new = before.is_none_or(|before| before.attempts.iter().all(|known| known.id != attempt.id));
        if is_new && let Some(context) = trace::current() {
            save_trace_context(tx, after.top_up.account_id, attempt.id, context).await?;
        }
    }
    for refund in &after.refunds {
        if before.is_none_or(|before| !before.refunds.contains(refund)) {
            super::save_refund(tx, after.top_up.account_id, refund).await?;
        }
    }
    Ok(())
}

/// Stores the trace that the attempt belongs to, for the worker that makes it.
async fn save_trace_context(
    tx: &Transaction,
    account_id: AccountId,
    id: TopUpAttemptId,
    context: String,
) -> Result<(), Fault> {
    let sql = "UPDATE top_up_attempt SET trace_context = $3 WHERE account_id = $1 AND id = $2";
    let values = [account_id.into(), id.into(), context.into()];
    tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values))
        .await?;
    Ok(())
}

/// Returns the attempts of top-ups, oldest first.
pub(in super::super) async fn attempts_of(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    ids: &[TopUpId],
) -> Result<HashMap<TopUpId, Vec<Attempt>>, Fault> {
    let query = Entity::find()
        .filter(Column::AccountId.eq(account_id))
        .filter(Column::TopUpId.is_in(ids.iter().copied()))
        .order_by_asc(Column::TopUpId)
        .order_by_asc(Column::Number);
    let mut found: HashMap<TopUpId, Vec<Attempt>> = HashMap::new();
    for attempt in records::find::<_, Attempt>(connection, query).await? {
        found.entry(attempt.top_up_id).or_default().push(attempt);
    }
    Ok(found)
}

/// Returns the accounts and top-ups of attempts that a worker may process, and the trace that each attempt belongs to.
pub(in super::super) async fn due(
    database: &Database,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<(AccountId, TopUpId, Option<String>)>, Fault> {
    let sql = "SELECT account_id, top_up_id, trace_context FROM top_up_attempt WHERE due_at <= $1 \
         ORDER BY due_at, account_id, id LIMIT $2";
    records::values(database.read(), sql, [now.into(), i64::from(limit).into()]).await
}

/// Returns the number of declines since then, by the card's fingerprint.
pub(in super::super) async fn recent_declines(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    since: Timestamp,
) -> Result<HashMap<String, u32>, Fault> {
    let sql = "SELECT fingerprint, COUNT(*) AS declines FROM top_up_attempt \
         WHERE account_id = $1 AND outcome = 'DECLINED' AND finished_at > $2 GROUP BY fingerprint";
    let declines: Vec<(String, i64)> = records::values(connection, sql, [account_id.into(), since.into()]).await?;
    let declines = declines.into_iter();
    Ok(declines
        .map(|(fingerprint, count)| (fingerprint, u32::try_from(count).unwrap_or(u32::MAX)))
        .collect())
}

/// Returns the number of declines of a card since then.
pub(in super::super) async fn declines_of(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    card: Option<&PaymentMethod>,
    since: Timestamp,
) -> Result<u32, Fault> {
    let Some(card) = card else {
        return Ok(0);
    };
    let declines = recent_declines(connection, account_id, since).await?;
    Ok(declines.get(&card.fingerprint).copied().unwrap_or(0))
}

/// What the rule has used of its limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct RuleUsage {
    /// The money of the month's automatic attempts that are not known to be unpaid, in minor units.
    pub(in super::super) spent_minor: i64,
    /// The number of automatic attempts since the day before, including declined ones.
    pub(in super::super) recent_attempts: u32,
    /// The time of the first of those attempts.
    pub(in super::super) first_attempt_at: Option<Timestamp>,
    /// The credits of those attempts that are not known to be unpaid.
    pub(in super::super) recent_credits: Credits,
}

/// Returns what the rule has used in the month, and in the day that began at `since`. Ignores the top-up `except`.
pub(in super::super) async fn usage_by_rule(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    month: &str,
    since: Timestamp,
    except: Option<TopUpId>,
) -> Result<RuleUsage, Fault> {
    let except = except.unwrap_or(TopUpId::from_uuid(uuid::Uuid::nil()));
    let spent = "SELECT CAST(COALESCE(SUM(price_minor), 0) AS BIGINT) FROM top_up_attempt \
         WHERE account_id = $1 AND is_automatic AND month = $2 AND outcome NOT IN ('DECLINED', 'ERROR') AND top_up_id <> $3";
    let attempts = "SELECT COUNT(*), MIN(created_at) FROM top_up_attempt \
         WHERE account_id = $1 AND is_automatic AND created_at > $2 AND top_up_id <> $3";
    let credits = "SELECT CAST(COALESCE(SUM(t.credits), 0) AS BIGINT) FROM top_up AS t WHERE t.account_id = $1 AND t.id <> $3 \
         AND t.origin = 'AUTO' AND t.created_at > $2 AND t.status NOT IN ('FAILED', 'CANCELED')";
    let of_day = || [account_id.into(), since.into(), except.into()];
    let of_month = [account_id.into(), month.into(), except.into()];
    let counted: Option<(i64, Option<Timestamp>)> = records::value(connection, attempts, of_day()).await?;
    let (count, first_attempt_at) = counted.unwrap_or_default();
    Ok(RuleUsage {
        spent_minor: records::value(connection, spent, of_month).await?.unwrap_or(0),
        recent_attempts: u32::try_from(count).unwrap_or(u32::MAX),
        first_attempt_at,
        recent_credits: records::value(connection, credits, of_day()).await?.unwrap_or_default(),
    })
}

/// Returns whether an open attempt charges this card.
pub(in super::super) async fn is_charged(
    tx: &Transaction,
    account_id: AccountId,
    id: PaymentMethodId,
) -> Result<bool, Fault> {
    let sql =
        "SELECT COUNT(*) FROM top_up_attempt WHERE account_id = $1 AND payment_method_id = $2 AND finished_at IS NULL";
    let count: Option<i64> = records::value(tx, sql, [account_id.into(), id.into()]).await?;
    Ok(count.is_some_and(|count| count > 0))
}

pub(in super::super) async fn by_ids(
    database: &Database,
    account_id: AccountId,
    ids: &[TopUpAttemptId],
) -> Result<HashMap<TopUpAttemptId, Attempt>, Fault> {
    let id = |attempt: &Attempt| attempt.id;
    select::by_ids(database, account_id, "top_up_attempt", ids, id).await
}
