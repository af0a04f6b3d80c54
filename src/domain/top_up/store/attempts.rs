//! Rows of attempts.

use std::collections::HashMap;

use entity::top_up_attempt::{Column, Entity, Model};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, Statement, Value};

use crate::domain::database::{Database, Transaction};
use crate::domain::fault::Fault;
use crate::domain::top_up::model::{Attempt, AttemptOutcome, FailureCode, PaymentMethod, Purchase, Step};
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, ApiKeyId, MemberId, PaymentMethodId, TopUpAttemptId, TopUpId};

use super::{cause_of, instant, number, optional_word, save_row, word};

fn attempt(row: Model) -> Result<Attempt, Fault> {
    Ok(Attempt {
        id: TopUpAttemptId::from_uuid(row.id),
        account_id: AccountId::from_number(row.account_id),
        top_up_id: TopUpId::from_uuid(row.top_up_id),
        number: row.number,
        outcome: word(AttemptOutcome::from_text, &row.outcome, "outcome")?,
        failure_code: optional_word(FailureCode::from_text, row.failure_code.as_ref(), "failure_code")?,
        payment_method_id: PaymentMethodId::from_uuid(row.payment_method_id),
        fingerprint: row.fingerprint,
        object_id: row.object_id,
        failure_mark: row.failure_mark,
        is_automatic: row.is_automatic,
        month: row.month,
        price_minor: row.price_minor,
        step: word(Step::from_text, &row.step, "step")?,
        confirm_sent_at: instant(row.confirm_sent_at),
        unknown_since: instant(row.unknown_since),
        is_escalated: row.is_escalated,
        tries: row.tries,
        due_at: instant(row.due_at),
        actor: cause_of(&row.actor_kind, row.actor_key_id, row.actor_member_id)?,
        created_at: Timestamp::from_millis(row.created_at),
        finished_at: instant(row.finished_at),
    })
}

fn row(attempt: &Attempt) -> Model {
    let (actor_kind, actor_key_id, actor_member_id) = attempt.actor.columns();
    Model {
        account_id: attempt.account_id.number(),
        id: attempt.id.uuid(),
        top_up_id: attempt.top_up_id.uuid(),
        number: attempt.number,
        outcome: attempt.outcome.as_str().to_owned(),
        failure_code: attempt.failure_code.map(|code| code.as_str().to_owned()),
        payment_method_id: attempt.payment_method_id.uuid(),
        fingerprint: attempt.fingerprint.clone(),
        object_id: attempt.object_id.clone(),
        failure_mark: attempt.failure_mark.clone(),
        is_automatic: attempt.is_automatic,
        month: attempt.month.clone(),
        price_minor: attempt.price_minor,
        step: attempt.step.as_str().to_owned(),
        confirm_sent_at: attempt.confirm_sent_at.map(Timestamp::millis),
        unknown_since: attempt.unknown_since.map(Timestamp::millis),
        is_escalated: attempt.is_escalated,
        tries: attempt.tries,
        due_at: attempt.due_at.map(Timestamp::millis),
        actor_kind: actor_kind.to_owned(),
        actor_key_id: actor_key_id.map(ApiKeyId::uuid),
        actor_member_id: actor_member_id.map(MemberId::uuid),
        created_at: attempt.created_at.millis(),
        finished_at: attempt.finished_at.map(Timestamp::millis),
    }
}

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
        save_row::<Entity>(tx, row(attempt)).await?;
    }
    for refund in &after.refunds {
        if before.is_none_or(|before| !before.refunds.contains(refund)) {
            super::save_refund(tx, after.top_up.account_id, refund).await?;
        }
    }
    Ok(())
}

/// Returns the attempts of top-ups, oldest first.
pub(in super::super) async fn attempts_of(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    ids: &[TopUpId],
) -> Result<HashMap<TopUpId, Vec<Attempt>>, Fault> {
    let rows = Entity::find()
        .filter(Column::AccountId.eq(account_id.number()))
        .filter(Column::TopUpId.is_in(ids.iter().map(|id| id.uuid())))
        .order_by_asc(Column::TopUpId)
        .order_by_asc(Column::Number)
        .all(connection)
        .await?;
    let mut found: HashMap<TopUpId, Vec<Attempt>> = HashMap::new();
    for row in rows {
        let attempt = attempt(row)?;
        found.entry(attempt.top_up_id).or_default().push(attempt);
    }
    Ok(found)
}

/// Returns the accounts and top-ups of attempts that a worker may process.
pub(in super::super) async fn due(
    database: &Database,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<(AccountId, TopUpId)>, Fault> {
    let sql =
        "SELECT account_id, top_up_id FROM top_up_attempt WHERE due_at <= $1 ORDER BY due_at, account_id, id LIMIT $2";
    let values = [Value::from(now.millis()), i64::from(limit).into()];
    let statement = Statement::from_sql_and_values(database.backend(), sql, values);
    let rows = database.read().query_all_raw(statement).await?;
    rows.iter()
        .map(|row| {
            let number: i64 = row.try_get("", "account_id")?;
            Ok((
                AccountId::from_number(number),
                TopUpId::from_uuid(row.try_get("", "top_up_id")?),
            ))
        })
        .collect()
}

/// Returns the number of declines since then, by the card's fingerprint.
pub(in super::super) async fn recent_declines(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    since: Timestamp,
) -> Result<HashMap<String, u32>, Fault> {
    let sql = "SELECT fingerprint, COUNT(*) AS declines FROM top_up_attempt \
         WHERE account_id = $1 AND outcome = 'DECLINED' AND finished_at > $2 GROUP BY fingerprint";
    let values = [Value::from(account_id.number()), since.millis().into()];
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    let rows = connection.query_all_raw(statement).await?;
    rows.iter()
        .map(|row| {
            let declines: i64 = row.try_get("", "declines")?;
            Ok((
                row.try_get("", "fingerprint")?,
                u32::try_from(declines).unwrap_or(u32::MAX),
            ))
        })
        .collect()
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
    let nobody = except.map_or_else(uuid::Uuid::nil, TopUpId::uuid);
    let spent = "SELECT CAST(COALESCE(SUM(price_minor), 0) AS BIGINT) FROM top_up_attempt \
         WHERE account_id = $1 AND is_automatic AND month = $2 AND outcome NOT IN ('DECLINED', 'ERROR') AND top_up_id <> $3";
    let attempts = |what: &str| {
        format!(
            "SELECT {what} FROM top_up_attempt \
             WHERE account_id = $1 AND is_automatic AND created_at > $2 AND top_up_id <> $3"
        )
    };
    let credits = "SELECT CAST(COALESCE(SUM(t.credits), 0) AS BIGINT) FROM top_up AS t WHERE t.account_id = $1 AND t.id <> $3 \
         AND t.origin = 'AUTO' AND t.created_at > $2 AND t.status NOT IN ('FAILED', 'CANCELED')";
    let of_day = || vec![Value::from(account_id.number()), since.millis().into(), nobody.into()];
    let of_month = vec![Value::from(account_id.number()), month.into(), nobody.into()];
    let counted = number(connection, &attempts("COUNT(*)"), of_day()).await?.unwrap_or(0);
    let first = number(connection, &attempts("MIN(created_at)"), of_day()).await?;
    Ok(RuleUsage {
        spent_minor: number(connection, spent, of_month).await?.unwrap_or(0),
        recent_attempts: u32::try_from(counted).unwrap_or(u32::MAX),
        first_attempt_at: first.map(Timestamp::from_millis),
        recent_credits: Credits::from_units(number(connection, credits, of_day()).await?.unwrap_or(0)),
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
    let values = vec![Value::from(account_id.number()), id.uuid().into()];
    Ok(number(tx, sql, values).await?.is_some_and(|count| count > 0))
}

pub(in super::super) async fn by_ids(
    database: &Database,
    account_id: AccountId,
    ids: &[TopUpAttemptId],
) -> Result<HashMap<TopUpAttemptId, Attempt>, Fault> {
    let rows = Entity::find()
        .filter(Column::AccountId.eq(account_id.number()))
        .filter(Column::Id.is_in(ids.iter().map(|id| id.uuid())))
        .all(database.read())
        .await?;
    rows.into_iter()
        .map(|row| attempt(row).map(|attempt| (attempt.id, attempt)))
        .collect()
}
