//! Rows of top-ups.

use std::collections::{HashMap, HashSet};

use entity::{account, top_up};
use sea_orm::{ConnectionTrait, EntityTrait, Statement, Value};
use uuid::Uuid;

use crate::domain::database::keyset::{Keyset, Position};
use crate::domain::database::select::{Condition, Row, Select};
use crate::domain::database::{Database, Transaction};
use crate::domain::fault::Fault;
use crate::domain::ledger::credit_log::store::{broken, cause};
use crate::domain::ledger::model::EntryKind;
use crate::domain::top_up::gateway::DisputeStatus;
use crate::domain::top_up::model::{FailureCode, Refund, TakenBack, TopUp, TopUpOrigin, TopUpStatus};
use crate::domain::top_up::terms::AccountTerms;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, ApiKeyId, EntryId, MemberId, TopUpId};
use crate::primitives::money::{CreditPrice, Currency, Money};

use super::{instant, number, optional_word, save_row, word};

const COLUMNS: &str = "id, status, origin, credits, price_minor, currency, actor_kind, actor_key_id, actor_member_id, entry_id, \
     credits_reversed, failure_code, next_attempt_at, cancel_requested_at, action_url, action_expires_at, object_id, \
     object_number, returned_minor, came_back_minor, came_back_at, dispute, disputed_minor, created_at, updated_at";

/// The condition of the partial unique index that allows one such row per account.
const OPEN_AUTOMATIC: &str = "origin = 'AUTO' AND (status IN ('PENDING', 'PROCESSING', 'REQUIRES_ACTION') \
     OR (status = 'FAILED' AND next_attempt_at IS NOT NULL))";

/// Returns the keyset of the account's top-ups that match `residuals`, by the time of the request.
pub(in super::super) fn keyset(residuals: Vec<Condition>) -> Keyset<(i64, Uuid)> {
    Keyset {
        table: "top_up",
        key: &["created_at", "id"],
        columns: COLUMNS,
        branches: Vec::new(),
        has_repeats: false,
        residuals,
        from: <(i64, Uuid)>::FIRST,
        to: <(i64, Uuid)>::LAST,
        descending: false,
    }
}

pub(in super::super) async fn by_ids(
    database: &Database,
    account_id: AccountId,
    ids: &[TopUpId],
) -> Result<HashMap<TopUpId, TopUp>, Fault> {
    let select = Select::by_ids(
        database,
        account_id,
        ("top_up", COLUMNS),
        ids.iter().map(|id| id.uuid()),
    );
    let mut found = HashMap::new();
    for row in select.all(database).await? {
        let top_up = top_up(&row, account_id)?;
        found.insert(top_up.id, top_up);
    }
    Ok(found)
}

/// Returns a top-up as the transaction sees it.
pub(in super::super) async fn find(
    tx: &Transaction,
    account_id: AccountId,
    id: TopUpId,
) -> Result<Option<TopUp>, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM top_up WHERE account_id = $1 AND id = $2");
    let values = [Value::from(account_id.number()), id.uuid().into()];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    let row = tx.query_one_raw(statement).await?;
    row.map(|row| top_up(&row, account_id)).transpose()
}

pub(in super::super) fn top_up(row: &Row, account_id: AccountId) -> Result<TopUp, Fault> {
    let (status, origin): (String, String) = (row.try_get("", "status")?, row.try_get("", "origin")?);
    let currency: String = row.try_get("", "currency")?;
    let failure_code: Option<String> = row.try_get("", "failure_code")?;
    let dispute: Option<String> = row.try_get("", "dispute")?;
    Ok(TopUp {
        id: TopUpId::from_uuid(row.try_get("", "id")?),
        account_id,
        status: word(TopUpStatus::from_text, &status, "status")?,
        origin: word(TopUpOrigin::from_text, &origin, "origin")?,
        credits: Credits::from_units(row.try_get("", "credits")?),
        price: Money {
            minor: row.try_get("", "price_minor")?,
            currency: currency.parse::<Currency>().map_err(|_| broken("currency"))?,
        },
        requested_by: cause(row)?,
        entry_id: row.try_get::<Option<Uuid>>("", "entry_id")?.map(EntryId::from_uuid),
        credits_reversed: Credits::from_units(row.try_get("", "credits_reversed")?),
        failure_code: optional_word(FailureCode::from_text, failure_code.as_ref(), "failure_code")?,
        next_attempt_at: instant(row.try_get("", "next_attempt_at")?),
        cancel_requested_at: instant(row.try_get("", "cancel_requested_at")?),
        action_url: row.try_get("", "action_url")?,
        action_expires_at: instant(row.try_get("", "action_expires_at")?),
        object_id: row.try_get("", "object_id")?,
        object_number: row.try_get("", "object_number")?,
        returned_minor: row.try_get("", "returned_minor")?,
        came_back_minor: row.try_get("", "came_back_minor")?,
        came_back_at: instant(row.try_get("", "came_back_at")?),
        dispute: optional_word(DisputeStatus::from_text, dispute.as_ref(), "dispute")?,
        disputed_minor: row.try_get("", "disputed_minor")?,
        created_at: Timestamp::from_millis(row.try_get("", "created_at")?),
        updated_at: Timestamp::from_millis(row.try_get("", "updated_at")?),
    })
}

/// Writes a new or changed top-up.
pub(in super::super) async fn insert(tx: &Transaction, top_up: &TopUp) -> Result<(), Fault> {
    let (actor_kind, actor_key_id, actor_member_id) = top_up.requested_by.columns();
    let row = top_up::Model {
        account_id: top_up.account_id.number(),
        id: top_up.id.uuid(),
        status: top_up.status.as_str().to_owned(),
        origin: top_up.origin.as_str().to_owned(),
        credits: top_up.credits.units(),
        price_minor: top_up.price.minor,
        currency: top_up.price.currency.code().to_owned(),
        actor_kind: actor_kind.to_owned(),
        actor_key_id: actor_key_id.map(ApiKeyId::uuid),
        actor_member_id: actor_member_id.map(MemberId::uuid),
        entry_id: top_up.entry_id.map(EntryId::uuid),
        credits_reversed: top_up.credits_reversed.units(),
        failure_code: top_up.failure_code.map(|code| code.as_str().to_owned()),
        next_attempt_at: top_up.next_attempt_at.map(Timestamp::millis),
        cancel_requested_at: top_up.cancel_requested_at.map(Timestamp::millis),
        action_url: top_up.action_url.clone(),
        action_expires_at: top_up.action_expires_at.map(Timestamp::millis),
        object_id: top_up.object_id.clone(),
        object_number: top_up.object_number,
        returned_minor: top_up.returned_minor,
        came_back_minor: top_up.came_back_minor,
        came_back_at: top_up.came_back_at.map(Timestamp::millis),
        dispute: top_up.dispute.map(|dispute| dispute.as_str().to_owned()),
        disputed_minor: top_up.disputed_minor,
        created_at: top_up.created_at.millis(),
        updated_at: top_up.updated_at.millis(),
    };
    save_row::<top_up::Entity>(tx, row).await
}

/// Returns the price of the account's credits and its time zone.
pub(in super::super) async fn account_terms(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
) -> Result<AccountTerms, Fault> {
    let row = account::Entity::find_by_id(account_id.number()).one(connection).await?;
    let row = row.ok_or_else(|| broken("account"))?;
    Ok(AccountTerms {
        credit_price: CreditPrice::from_millionths(row.credit_price),
        currency: row.currency.parse().map_err(|_| broken("currency"))?,
        timezone: row.timezone.parse().map_err(|_| broken("timezone"))?,
    })
}

async fn one_id(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    condition: &str,
) -> Result<Option<TopUpId>, Fault> {
    let sql = format!("SELECT id FROM top_up WHERE account_id = $1 AND {condition} LIMIT 1");
    let backend = connection.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, sql, [account_id.number().into()]);
    let row = connection.query_one_raw(statement).await?;
    let id: Option<Uuid> = row.map(|row| row.try_get("", "id")).transpose()?;
    Ok(id.map(TopUpId::from_uuid))
}

/// Returns the account's open automatic top-up. There is at most one.
pub(in super::super) async fn open_automatic(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
) -> Result<Option<TopUpId>, Fault> {
    one_id(connection, account_id, OPEN_AUTOMATIC).await
}

/// Returns whether a manual top-up waits to be charged or is being charged.
///
/// A top-up whose outcome has been unknown for a day does not count: otherwise it would block others permanently.
pub(in super::super) async fn any_charged_by_hand(tx: &Transaction, account_id: AccountId) -> Result<bool, Fault> {
    let condition = "origin = 'MANUAL' AND status IN ('PENDING', 'PROCESSING') AND NOT EXISTS (
        SELECT 1 FROM top_up_attempt AS a WHERE a.account_id = $1 AND a.top_up_id = top_up.id AND a.finished_at IS NULL
          AND a.is_escalated)";
    Ok(one_id(tx, account_id, condition).await?.is_some())
}

/// Returns whether a manual top-up waits for its first charge, or is being charged for the first time.
pub(in super::super) async fn is_first_tried_by_hand(tx: &Transaction, account_id: AccountId) -> Result<bool, Fault> {
    let condition = "origin = 'MANUAL' AND status IN ('PENDING', 'PROCESSING') AND NOT EXISTS (
        SELECT 1 FROM top_up_attempt AS a WHERE a.account_id = $1 AND a.top_up_id = top_up.id AND (a.number > 1 OR a.is_escalated))";
    Ok(one_id(tx, account_id, condition).await?.is_some())
}

/// Returns when a top-up of the account last succeeded.
pub(in super::super) async fn last_success_at(
    tx: &Transaction,
    account_id: AccountId,
) -> Result<Option<Timestamp>, Fault> {
    let sql = "SELECT MAX(occurred_at) FROM (SELECT occurred_at FROM credit_entry WHERE account_id = $1 \
         AND kind IN ('TOP_UP', 'AUTO_TOP_UP') ORDER BY sequence DESC LIMIT 1) AS newest";
    Ok(instant(number(tx, sql, vec![account_id.number().into()]).await?))
}

/// Returns the credits that were taken back of the entry that credited a top-up. `refunds` are the refunds of that top-up.
pub(in super::super) async fn taken_back(
    tx: &Transaction,
    account_id: AccountId,
    entry_id: EntryId,
    refunds: &[Refund],
) -> Result<TakenBack, Fault> {
    let own = refunds
        .iter()
        .flat_map(|refund| [refund.entry_id, refund.came_back_entry_id]);
    let named: HashSet<EntryId> = own.flatten().collect();
    let sql =
        "SELECT id, kind, amount FROM credit_entry WHERE account_id = $1 AND reverses_entry_id = $2 ORDER BY sequence";
    let values = [Value::from(account_id.number()), entry_id.uuid().into()];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    let mut taken = TakenBack::default();
    for row in tx.query_all_raw(statement).await? {
        let (kind, amount): (String, i64) = (row.try_get("", "kind")?, row.try_get("", "amount")?);
        let kind = word(EntryKind::from_text, &kind, "kind")?;
        if named.contains(&EntryId::from_uuid(row.try_get("", "id")?)) {
            taken.add_named(Credits::from_units(-amount));
            continue;
        }
        taken.add(Credits::from_units(-amount), kind == EntryKind::Adjustment);
    }
    Ok(taken)
}

/// Returns automatic top-ups of the account that have failed permanently: a later one replaces them.
pub(in super::super) async fn waiting_failures(tx: &Transaction, account_id: AccountId) -> Result<Vec<TopUpId>, Fault> {
    let sql = "SELECT id FROM top_up WHERE account_id = $1 AND origin = 'AUTO' AND status = 'FAILED' \
         AND next_attempt_at IS NULL ORDER BY created_at DESC LIMIT 100";
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, [account_id.number().into()]);
    let rows = tx.query_all_raw(statement).await?;
    rows.iter()
        .map(|row| Ok(TopUpId::from_uuid(row.try_get("", "id")?)))
        .collect()
}

/// Returns the newest failed top-ups of the account, newest first.
pub(in super::super) async fn failed(tx: &Transaction, account_id: AccountId, limit: u32) -> Result<Vec<TopUp>, Fault> {
    some(tx, account_id, "status = 'FAILED' ORDER BY created_at DESC", limit).await
}

/// Returns the oldest top-ups of the account that are in progress, oldest first.
pub(in super::super) async fn unfinished(
    tx: &Transaction,
    account_id: AccountId,
    limit: u32,
) -> Result<Vec<TopUp>, Fault> {
    let condition = "status IN ('PENDING', 'PROCESSING', 'REQUIRES_ACTION') ORDER BY created_at";
    some(tx, account_id, condition, limit).await
}

async fn some(tx: &Transaction, account_id: AccountId, condition: &str, limit: u32) -> Result<Vec<TopUp>, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM top_up WHERE account_id = $1 AND {condition} LIMIT $2");
    let values = [Value::from(account_id.number()), i64::from(limit).into()];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    let rows = tx.query_all_raw(statement).await?;
    rows.iter().map(|row| top_up(row, account_id)).collect()
}

/// Returns top-ups whose next automatic attempt is scheduled by now.
pub(in super::super) async fn due_again(
    database: &Database,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<(AccountId, TopUpId)>, Fault> {
    let due = super::due_ids(database.read(), ("top_up", "next_attempt_at"), now, limit).await?;
    Ok(due
        .into_iter()
        .map(|(account_id, id)| (account_id, TopUpId::from_uuid(id)))
        .collect())
}
