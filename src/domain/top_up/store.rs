//! Rows of top-ups.

use std::collections::HashMap;

use entity::{account, top_up};
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait, Statement, Value};
use uuid::Uuid;

use crate::domain::database::keyset::{Keyset, Position};
use crate::domain::database::select::{Condition, Row, Select};
use crate::domain::database::{Database, Transaction};
use crate::domain::fault::Fault;
use crate::domain::ledger::credit_log::store::{broken, cause};
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, ApiKeyId, EntryId, MemberId, TopUpId};
use crate::primitives::money::{CreditPrice, Currency, Money};

use super::model::{TopUp, TopUpOrigin, TopUpStatus};

const COLUMNS: &str = "id, status, origin, credits, price_minor, currency, actor_kind, actor_key_id, actor_member_id, entry_id, \
     credits_reversed, created_at, updated_at";

/// The account's top-ups that meet `residuals`, by the time they were asked for.
pub(super) fn keyset(residuals: Vec<Condition>) -> Keyset<(i64, Uuid)> {
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

/// Top-ups by id.
pub(super) async fn by_ids(
    database: &Database,
    account_id: AccountId,
    ids: &[TopUpId],
) -> Result<HashMap<TopUpId, TopUp>, Fault> {
    let mut select = Select::of(database, account_id, "");
    select.push(&format!("SELECT {COLUMNS} FROM top_up WHERE account_id = $1"));
    select.and_all(&[Condition::Uuids("id", ids.iter().map(|id| id.uuid()).collect())]);
    let mut found = HashMap::new();
    for row in select.all(database).await? {
        let top_up = top_up(&row, account_id)?;
        found.insert(top_up.id, top_up);
    }
    Ok(found)
}

/// A top-up as the transaction sees it.
pub(super) async fn find(tx: &Transaction, account_id: AccountId, id: TopUpId) -> Result<Option<TopUp>, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM top_up WHERE account_id = $1 AND id = $2");
    let values = [Value::from(account_id.number()), id.uuid().into()];
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    let row = tx.query_one_raw(statement).await?;
    row.map(|row| top_up(&row, account_id)).transpose()
}

/// A top-up from its row.
pub(super) fn top_up(row: &Row, account_id: AccountId) -> Result<TopUp, Fault> {
    let (status, origin): (String, String) = (row.try_get("", "status")?, row.try_get("", "origin")?);
    let currency: String = row.try_get("", "currency")?;
    Ok(TopUp {
        id: TopUpId::from_uuid(row.try_get("", "id")?),
        account_id,
        status: TopUpStatus::from_text(&status).ok_or_else(|| broken("status"))?,
        origin: TopUpOrigin::from_text(&origin).ok_or_else(|| broken("origin"))?,
        credits: Credits::from_units(row.try_get("", "credits")?),
        price: Money {
            minor: row.try_get("", "price_minor")?,
            currency: currency.parse::<Currency>().map_err(|_| broken("currency"))?,
        },
        requested_by: cause(row)?,
        entry_id: row.try_get::<Option<Uuid>>("", "entry_id")?.map(EntryId::from_uuid),
        credits_reversed: Credits::from_units(row.try_get("", "credits_reversed")?),
        created_at: Timestamp::from_millis(row.try_get("", "created_at")?),
        updated_at: Timestamp::from_millis(row.try_get("", "updated_at")?),
    })
}

/// What one of the account's credits costs.
pub(super) async fn credit_price(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
) -> Result<(CreditPrice, Currency), Fault> {
    let row = account::Entity::find_by_id(account_id.number()).one(connection).await?;
    let row = row.ok_or_else(|| broken("account"))?;
    let currency = row.currency.parse().map_err(|_| broken("currency"))?;
    Ok((CreditPrice::from_millionths(row.credit_price), currency))
}

/// Writes a new top-up.
pub(super) async fn insert(tx: &Transaction, top_up: &TopUp) -> Result<(), Fault> {
    let (actor_kind, actor_key_id, actor_member_id) = top_up.requested_by.columns();
    let row = top_up::ActiveModel {
        account_id: Set(top_up.account_id.number()),
        id: Set(top_up.id.uuid()),
        status: Set(top_up.status.as_str().to_owned()),
        origin: Set(top_up.origin.as_str().to_owned()),
        credits: Set(top_up.credits.units()),
        price_minor: Set(top_up.price.minor),
        currency: Set(top_up.price.currency.code().to_owned()),
        actor_kind: Set(actor_kind.to_owned()),
        actor_key_id: Set(actor_key_id.map(ApiKeyId::uuid)),
        actor_member_id: Set(actor_member_id.map(MemberId::uuid)),
        entry_id: Set(top_up.entry_id.map(EntryId::uuid)),
        credits_reversed: Set(top_up.credits_reversed.units()),
        created_at: Set(top_up.created_at.millis()),
        updated_at: Set(top_up.updated_at.millis()),
    };
    top_up::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}
