//! Rows of rules and of their decisions.

use std::collections::HashMap;

use entity::auto_top_up::{Entity, Model};
use entity::top_up_decision;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Statement, Value};
use uuid::Uuid;

use crate::domain::database::keyset::{Keyset, Position};
use crate::domain::database::select::{Row, Select};
use crate::domain::database::{Database, Transaction};
use crate::domain::fault::Fault;
use crate::domain::ledger::credit_log::store::broken;
use crate::domain::top_up::model::{AutoTopUp, Consent, DecisionOutcome, PauseReason, StoredDecision};
use crate::primitives::actor::Cause;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, ApiKeyId, MemberId, PaymentMethodId, TopUpDecisionId, TopUpId};

use super::{cause_of, instant, optional_word, save_row, word};

const DECISION_COLUMNS: &str = "id, created_at, decided_at, outcome, available, trigger_credits, message, top_up_id";

fn consent(row: &Model) -> Result<Option<Consent>, Fault> {
    let Some(at) = row.consented_at else {
        return Ok(None);
    };
    let missing = || broken("consent");
    let kind = row.consent_actor_kind.as_deref().ok_or_else(missing)?;
    Ok(Some(Consent {
        trigger: Credits::from_units(row.consent_trigger.ok_or_else(missing)?),
        amount: Credits::from_units(row.consent_amount.ok_or_else(missing)?),
        monthly_cap_minor: row.consent_cap_minor,
        price_minor: row.consent_price_minor.ok_or_else(missing)?,
        by: cause_of(kind, row.consent_actor_key_id, row.consent_actor_member_id)?,
        at: Timestamp::from_millis(at),
    }))
}

/// Returns the account's rule, if one was ever set.
pub(in super::super) async fn find(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
) -> Result<Option<AutoTopUp>, Fault> {
    let Some(row) = Entity::find_by_id(account_id.number()).one(connection).await? else {
        return Ok(None);
    };
    Ok(Some(AutoTopUp {
        account_id,
        is_enabled: row.is_enabled,
        trigger: row.trigger_credits.map(Credits::from_units),
        amount: row.amount.map(Credits::from_units),
        monthly_cap_minor: row.monthly_cap_minor,
        payment_method_id: row.payment_method_id.map(PaymentMethodId::from_uuid),
        consent: consent(&row)?,
        pause: optional_word(PauseReason::from_text, row.pause.as_ref(), "pause")?,
        paused_fingerprint: row.paused_fingerprint,
        soft_declines: row.soft_declines,
        refused_at: instant(row.refused_at),
        due_at: instant(row.due_at),
        repeated: row.repeated,
        version: row.version,
        created_at: Timestamp::from_millis(row.created_at),
        updated_at: Timestamp::from_millis(row.updated_at),
    }))
}

/// Writes a new or changed rule.
pub(in super::super) async fn save(tx: &Transaction, rule: &AutoTopUp) -> Result<(), Fault> {
    let consent = rule.consent.as_ref();
    let by = consent.map(|consent| Cause::columns(consent.by));
    let row = Model {
        account_id: rule.account_id.number(),
        is_enabled: rule.is_enabled,
        trigger_credits: rule.trigger.map(Credits::units),
        amount: rule.amount.map(Credits::units),
        monthly_cap_minor: rule.monthly_cap_minor,
        payment_method_id: rule.payment_method_id.map(PaymentMethodId::uuid),
        consent_trigger: consent.map(|consent| consent.trigger.units()),
        consent_amount: consent.map(|consent| consent.amount.units()),
        consent_cap_minor: consent.and_then(|consent| consent.monthly_cap_minor),
        consent_price_minor: consent.map(|consent| consent.price_minor),
        consent_actor_kind: by.map(|(kind, _, _)| kind.to_owned()),
        consent_actor_key_id: by.and_then(|(_, key, _)| key).map(ApiKeyId::uuid),
        consent_actor_member_id: by.and_then(|(_, _, member)| member).map(MemberId::uuid),
        consented_at: consent.map(|consent| consent.at.millis()),
        pause: rule.pause.map(|pause| pause.as_str().to_owned()),
        paused_fingerprint: rule.paused_fingerprint.clone(),
        soft_declines: rule.soft_declines,
        refused_at: rule.refused_at.map(Timestamp::millis),
        due_at: rule.due_at.map(Timestamp::millis),
        repeated: rule.repeated,
        version: rule.version,
        created_at: rule.created_at.millis(),
        updated_at: rule.updated_at.millis(),
    };
    save_row::<Entity>(tx, row).await
}

/// Returns accounts whose rule is scheduled for an evaluation.
pub(in super::super) async fn due(database: &Database, now: Timestamp, limit: u32) -> Result<Vec<AccountId>, Fault> {
    let sql = "SELECT account_id FROM auto_top_up WHERE due_at <= $1 ORDER BY due_at, account_id LIMIT $2";
    let values = [Value::from(now.millis()), i64::from(limit).into()];
    let statement = Statement::from_sql_and_values(database.backend(), sql, values);
    let rows = database.read().query_all_raw(statement).await?;
    rows.iter()
        .map(|row| Ok(AccountId::from_number(row.try_get("", "account_id")?)))
        .collect()
}

/// Returns the newest decision.
pub(in super::super) async fn last_decision(
    tx: &Transaction,
    account_id: AccountId,
) -> Result<Option<StoredDecision>, Fault> {
    use top_up_decision::Column;
    let row = top_up_decision::Entity::find()
        .filter(Column::AccountId.eq(account_id.number()))
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::Id)
        .limit(1)
        .one(tx)
        .await?;
    row.map(|row| {
        Ok(StoredDecision {
            id: TopUpDecisionId::from_uuid(row.id),
            account_id,
            created_at: Timestamp::from_millis(row.created_at),
            decided_at: Timestamp::from_millis(row.decided_at),
            outcome: word(DecisionOutcome::from_text, &row.outcome, "outcome")?,
            available: Credits::from_units(row.available),
            trigger: row.trigger_credits.map(Credits::from_units),
            message: row.message,
            top_up_id: row.top_up_id.map(TopUpId::from_uuid),
        })
    })
    .transpose()
}

/// Returns the newest decisions, newest first.
pub(in super::super) async fn recent_decisions(
    tx: &Transaction,
    account_id: AccountId,
    limit: u32,
) -> Result<Vec<StoredDecision>, Fault> {
    let sql = format!(
        "SELECT {DECISION_COLUMNS} FROM top_up_decision WHERE account_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2"
    );
    let values = [Value::from(account_id.number()), i64::from(limit).into()];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    let rows = tx.query_all_raw(statement).await?;
    rows.iter().map(|row| decision(row, account_id)).collect()
}

/// Writes a new or repeated decision.
pub(in super::super) async fn insert_decision(tx: &Transaction, decision: &StoredDecision) -> Result<(), Fault> {
    let row = top_up_decision::Model {
        account_id: decision.account_id.number(),
        id: decision.id.uuid(),
        created_at: decision.created_at.millis(),
        decided_at: decision.decided_at.millis(),
        outcome: decision.outcome.as_str().to_owned(),
        available: decision.available.units(),
        trigger_credits: decision.trigger.map(Credits::units),
        message: decision.message.clone(),
        top_up_id: decision.top_up_id.map(TopUpId::uuid),
    };
    save_row::<top_up_decision::Entity>(tx, row).await
}

/// Returns the keyset of an account's decisions, by the time they were first made.
pub(in super::super) fn decisions_keyset() -> Keyset<(i64, Uuid)> {
    Keyset {
        table: "top_up_decision",
        key: &["created_at", "id"],
        columns: DECISION_COLUMNS,
        branches: Vec::new(),
        has_repeats: false,
        residuals: Vec::new(),
        from: <(i64, Uuid)>::FIRST,
        to: <(i64, Uuid)>::LAST,
        descending: true,
    }
}

pub(in super::super) async fn decisions_by_ids(
    database: &Database,
    account_id: AccountId,
    ids: &[TopUpDecisionId],
) -> Result<HashMap<TopUpDecisionId, StoredDecision>, Fault> {
    let select = Select::by_ids(
        database,
        account_id,
        ("top_up_decision", DECISION_COLUMNS),
        ids.iter().map(|id| id.uuid()),
    );
    let mut found = HashMap::new();
    for row in select.all(database).await? {
        let decision = decision(&row, account_id)?;
        found.insert(decision.id, decision);
    }
    Ok(found)
}

pub(in super::super) fn decision(row: &Row, account_id: AccountId) -> Result<StoredDecision, Fault> {
    let outcome: String = row.try_get("", "outcome")?;
    Ok(StoredDecision {
        id: TopUpDecisionId::from_uuid(row.try_get("", "id")?),
        account_id,
        created_at: Timestamp::from_millis(row.try_get("", "created_at")?),
        decided_at: Timestamp::from_millis(row.try_get("", "decided_at")?),
        outcome: word(DecisionOutcome::from_text, &outcome, "outcome")?,
        available: Credits::from_units(row.try_get("", "available")?),
        trigger: row
            .try_get::<Option<i64>>("", "trigger_credits")?
            .map(Credits::from_units),
        message: row.try_get("", "message")?,
        top_up_id: row.try_get::<Option<Uuid>>("", "top_up_id")?.map(TopUpId::from_uuid),
    })
}
