//! Rows of notification addresses, joined with their contacts.

use std::collections::{BTreeSet, HashMap};

use chrono_tz::Tz;
use entity::{contact, notification_address};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ConnectionTrait, EntityTrait, FromQueryResult, IntoActiveModel, QueryResult, Statement, Value};

use super::unreadable;
use crate::domain::database::Transaction;
use crate::domain::database::bulk::{self, Columns, Kind, Rows};
use crate::domain::fault::Fault;
use crate::domain::member::contact_from_row;
use crate::primitives::actor::Cause;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, ApiKeyId, MemberId, NotificationAddressId};

use super::super::model::{AddressWishes, AlertKind, NotificationAddress};

/// The columns of an address `t` and of its contact `c`, both of one account.
const COLUMNS: &str = "t.account_id, t.id, t.label, t.alert_kinds, t.low_balance_threshold, t.maker_kind, t.maker_key_id, \
     t.maker_member_id, t.created_at, t.removed_at, c.recipient_id, c.email, c.email_status, c.bounce_message, c.locale, c.timezone, \
     c.version, c.status_since, c.voucher_kind, c.voucher_key_id, c.vouched_at";
const CONTACT: &str = "JOIN contact c ON c.account_id = t.account_id AND c.recipient_id = t.id";

/// Returns an account's addresses that were not removed, in the order they were added.
pub(in super::super) async fn addresses(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
) -> Result<Vec<NotificationAddress>, Fault> {
    let sql = format!(
        "SELECT {COLUMNS} FROM notification_address t {CONTACT} WHERE t.account_id = $1 AND t.removed_at IS NULL \
         ORDER BY t.created_at, t.id"
    );
    let values: [Value; 1] = [account_id.number().into()];
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    let rows = connection.query_all_raw(statement).await?;
    rows.iter().map(from_row).collect()
}

const IDS: Columns = &[("account_id", Kind::BigInt), ("id", Kind::Uuid)];

/// Returns addresses by id, also removed ones.
pub(in super::super) async fn addresses_by_id(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    ids: &[NotificationAddressId],
) -> Result<HashMap<NotificationAddressId, NotificationAddress>, Fault> {
    let mut rows = Rows::new(IDS);
    for id in ids {
        rows.push([account_id.number().into(), id.uuid().into()]);
    }
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    let backend = connection.get_database_backend();
    let sql = format!(
        "SELECT {COLUMNS} FROM {} {} {CONTACT}",
        rows.relation(backend, 1),
        bulk::probe(backend, "notification_address", " AND t.id = r.id"),
    );
    let found = connection.query_all_raw(rows.statement(backend, sql)).await?;
    let addresses = found.iter().map(|row| {
        let address = from_row(row)?;
        Ok((address.id, address))
    });
    addresses.collect()
}

/// Returns an address by id, also a removed one.
pub(in super::super) async fn address(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    id: NotificationAddressId,
) -> Result<Option<NotificationAddress>, Fault> {
    Ok(addresses_by_id(connection, account_id, &[id]).await?.remove(&id))
}

const ACCOUNTS: Columns = &[("number", Kind::BigInt), ("account_id", Kind::BigInt)];

/// Returns for each of these accounts the addresses that were not removed, with the account's number. It is one statement
/// for any number of accounts.
pub(in super::super) async fn addresses_of(
    tx: &Transaction,
    accounts: impl IntoIterator<Item = (i64, AccountId)>,
) -> Result<Vec<(i64, NotificationAddress)>, Fault> {
    let mut rows = Rows::new(ACCOUNTS);
    for (number, account_id) in accounts {
        rows.push([number.into(), account_id.number().into()]);
    }
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let backend = tx.get_database_backend();
    let sql = format!(
        "SELECT r.number, {COLUMNS} FROM {} {} {CONTACT} ORDER BY t.created_at, t.id",
        rows.relation(backend, 1),
        bulk::probe(backend, "notification_address", " AND t.removed_at IS NULL"),
    );
    let found = tx.query_all_raw(rows.statement(backend, sql)).await?;
    let addresses = found.iter().map(|row| Ok((row.try_get("", "number")?, from_row(row)?)));
    addresses.collect()
}

pub(in super::super) async fn label_of(
    tx: &Transaction,
    account_id: AccountId,
    id: NotificationAddressId,
) -> Result<Option<String>, Fault> {
    let key = (account_id.number(), id.uuid());
    let row = notification_address::Entity::find_by_id(key).one(tx).await?;
    Ok(row.map(|row| row.label))
}

pub(in super::super) async fn timezone_of(tx: &Transaction, account_id: AccountId) -> Result<Tz, Fault> {
    let account = entity::account::Entity::find_by_id(account_id.number()).one(tx).await?;
    let account = account.ok_or_else(|| Fault::Internal("an account has figures and no row".to_owned()))?;
    let timezone = account.timezone;
    timezone.parse().map_err(|_| unreadable("time zone", &timezone))
}

/// Inserts or updates the row of an address. Its contact must exist.
pub(in super::super) async fn save_address(tx: &Transaction, address: &NotificationAddress) -> Result<(), Fault> {
    use notification_address::Column;
    let names: Vec<&str> = address.wishes.kinds.iter().map(|kind| kind.as_str()).collect();
    let (maker_kind, maker_key, maker_member) = address.created_by.columns();
    let row = notification_address::Model {
        account_id: address.account_id.number(),
        id: address.id.uuid(),
        label: address.label.clone(),
        alert_kinds: serde_json::to_string(&names).map_err(|error| Fault::Internal(error.to_string()))?,
        low_balance_threshold: address.wishes.low_balance_threshold.map(Credits::units),
        maker_kind: maker_kind.to_owned(),
        maker_key_id: maker_key.map(ApiKeyId::uuid),
        maker_member_id: maker_member.map(MemberId::uuid),
        created_at: address.created_at.millis(),
        removed_at: address.removed_at.map(Timestamp::millis),
    };
    let replace = OnConflict::columns([Column::AccountId, Column::Id])
        .update_columns([
            Column::Label,
            Column::AlertKinds,
            Column::LowBalanceThreshold,
            Column::RemovedAt,
        ])
        .to_owned();
    notification_address::Entity::insert(row.into_active_model())
        .on_conflict(replace)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

fn from_row(row: &QueryResult) -> Result<NotificationAddress, Fault> {
    let (own, contact) = (
        notification_address::Model::from_query_result(row, "")?,
        contact::Model::from_query_result(row, "")?,
    );
    let id = NotificationAddressId::from_uuid(own.id);
    let created_by = Cause::from_columns(
        &own.maker_kind,
        own.maker_key_id.map(ApiKeyId::from_uuid),
        own.maker_member_id.map(MemberId::from_uuid),
    );
    Ok(NotificationAddress {
        id,
        account_id: AccountId::from_number(own.account_id),
        label: own.label,
        contact_since: Timestamp::from_millis(contact.status_since.unwrap_or(own.created_at)),
        contact: contact_from_row(contact, id.into())?,
        wishes: AddressWishes {
            kinds: kinds_of(&own.alert_kinds)?,
            low_balance_threshold: own.low_balance_threshold.map(Credits::from_units),
        },
        created_by: created_by.ok_or_else(|| unreadable("maker", &own.maker_kind))?,
        created_at: Timestamp::from_millis(own.created_at),
        removed_at: own.removed_at.map(Timestamp::from_millis),
    })
}

fn kinds_of(json: &str) -> Result<BTreeSet<AlertKind>, Fault> {
    let names: Vec<String> = serde_json::from_str(json).map_err(|_| unreadable("list of kinds", json))?;
    let kinds = names.iter();
    kinds
        .map(|name| AlertKind::from_text(name).ok_or_else(|| unreadable("kind of alert", name)))
        .collect()
}
