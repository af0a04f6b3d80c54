//! Rows of purchases, cards, rules and webhooks.
//!
//! Functions that take a transaction are called under the account's lock; the others read committed rows. Scheduled work is
//! found without a lock, across accounts, and claimed under the lock of its account.

mod attempts;
mod auto_top_ups;
mod card_trials;
mod figures;
mod manual;
mod objects;
mod payment_methods;
mod refunds;
mod top_ups;
mod webhooks;

use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ConnectionTrait, EntityTrait, IdenStatic, IntoActiveModel, Iterable, PrimaryKeyToColumn, Statement, Value,
};
use uuid::Uuid;

use crate::domain::database::Transaction;
use crate::domain::fault::Fault;
use crate::domain::ledger::credit_log::store::broken;
use crate::primitives::actor::Cause;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, ApiKeyId, MemberId};

pub(super) use attempts::{
    attempts_of, by_ids as attempts_by_ids, declines_of, due as due_attempts, is_charged, purchase, recent_declines,
    save_purchase, usage_by_rule,
};
pub(super) use auto_top_ups::{
    decision, decisions_by_ids, decisions_keyset, due as due_rules, find as find_rule, insert_decision, last_decision,
    recent_decisions, save as save_rule,
};
pub(super) use card_trials::{save as save_card_trial, since as card_trials_since};
pub(super) use figures::figures;
pub(super) use manual::{failed_refunds, unsettled};
pub(super) use objects::{claim as claim_object, owner as object_owner};
pub(super) use payment_methods::{
    all as payment_methods, by_ids as payment_methods_by_ids, customer, insert_customer, save as save_payment_method,
};
pub(super) use refunds::{due as due_refunds, find as find_refund, of_top_up as refunds_of, save as save_refund};
pub(super) use top_ups::{
    account_terms, any_charged_by_hand, by_ids, due_again, failed, find, insert, is_first_tried_by_hand, keyset,
    last_success_at, open_automatic, taken_back, top_up, unfinished, waiting_failures,
};
pub(super) use webhooks::{
    due as due_webhooks, find as find_webhook, parked as parked_webhooks, receive as receive_webhook,
    save as save_webhook,
};

/// Inserts a row, or replaces the row with the same key.
async fn save_row<E>(tx: &Transaction, row: E::Model) -> Result<(), Fault>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel>,
{
    let keys: Vec<E::Column> = E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column).collect();
    let is_key = |column: &E::Column| keys.iter().any(|key| key.as_str() == column.as_str());
    let others: Vec<E::Column> = E::Column::iter().filter(|column| !is_key(column)).collect();
    let conflict = OnConflict::columns(keys).update_columns(others).to_owned();
    E::insert(row.into_active_model())
        .on_conflict(conflict)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Returns the cause that is stored in three columns.
fn cause_of(kind: &str, key: Option<Uuid>, member: Option<Uuid>) -> Result<Cause, Fault> {
    Cause::from_columns(kind, key.map(ApiKeyId::from_uuid), member.map(MemberId::from_uuid))
        .ok_or_else(|| broken("actor"))
}

fn word<T>(from_text: impl FnOnce(&str) -> Option<T>, text: &str, column: &str) -> Result<T, Fault> {
    from_text(text).ok_or_else(|| broken(column))
}

fn optional_word<T>(
    from_text: impl FnOnce(&str) -> Option<T>,
    text: Option<&String>,
    column: &str,
) -> Result<Option<T>, Fault> {
    text.map(|text| word(from_text, text, column)).transpose()
}

fn instant(millis: Option<i64>) -> Option<Timestamp> {
    millis.map(Timestamp::from_millis)
}

/// Returns the account and id of scheduled rows, oldest schedule first.
async fn due_ids(
    connection: &impl ConnectionTrait,
    (table, column): (&'static str, &'static str),
    now: Timestamp,
    limit: u32,
) -> Result<Vec<(AccountId, Uuid)>, Fault> {
    let sql = format!("SELECT account_id, id FROM {table} WHERE {column} <= $1 ORDER BY {column}, account_id LIMIT $2");
    let values = [Value::from(now.millis()), i64::from(limit).into()];
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    let rows = connection.query_all_raw(statement).await?;
    rows.iter()
        .map(|row| {
            let number: i64 = row.try_get("", "account_id")?;
            Ok((AccountId::from_number(number), row.try_get("", "id")?))
        })
        .collect()
}

/// Returns the first column of the first row as a number.
async fn number(connection: &impl ConnectionTrait, sql: &str, values: Vec<Value>) -> Result<Option<i64>, Fault> {
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    let row = connection.query_one_raw(statement).await?;
    Ok(row.map_or(Ok(None), |row| row.try_get_by_index::<Option<i64>>(0))?)
}
