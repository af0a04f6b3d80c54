//! Rows of notification addresses, joined with their contacts.

use std::collections::{BTreeSet, HashMap};

use chrono_tz::Tz;
use entity::notification_address;
use sea_orm::{ConnectionTrait, EntityTrait};

use super::unreadable;
use crate::domain::database::Transaction;
use crate::domain::database::bulk::{Record, Rows};
use crate::domain::database::records::{self, Fields, FromRow, columns_of};
use crate::domain::database::scope::AccountScope;
use crate::domain::fault::Fault;
use crate::domain::member::ContactRow;
use crate::primitives::actor::Cause;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, NotificationAddressId};

use super::super::model::{AddressWishes, AlertKind, NotificationAddress};

/// A notification address, as it is stored.
#[derive(Record, FromRow)]
struct AddressRow {
    account_id: AccountId,
    id: NotificationAddressId,
    label: String,
    /// A JSON list of names.
    alert_kinds: String,
    low_balance_threshold: Option<Credits>,
    #[record(flatten, prefix = "maker_")]
    maker: Cause,
    created_at: Timestamp,
    removed_at: Option<Timestamp>,
}

/// The columns of an address `t` and of its contact `c`, both of one account.
fn columns() -> String {
    format!("{}, {}", columns_of::<AddressRow>("t"), columns_of::<ContactRow>("c"))
}

const CONTACT: &str = "JOIN contact c ON c.account_id = t.account_id AND c.recipient_id = t.id";

/// Returns an account's addresses that were not removed, in the order they were added.
pub(in super::super) async fn addresses(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
) -> Result<Vec<NotificationAddress>, Fault> {
    let columns = columns();
    let sql = format!(
        "SELECT {columns} FROM notification_address t {CONTACT} WHERE t.account_id = $1 AND t.removed_at IS NULL \
         ORDER BY t.created_at, t.id"
    );
    let rows: Vec<Found> = records::all(connection, sql, [account_id.into()]).await?;
    rows.into_iter().map(Found::address).collect()
}

#[derive(Record)]
struct Named {
    account_id: AccountId,
    id: NotificationAddressId,
}

/// Returns addresses by id, also removed ones.
pub(in super::super) async fn addresses_by_id(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    ids: &[NotificationAddressId],
) -> Result<HashMap<NotificationAddressId, NotificationAddress>, Fault> {
    let rows = Rows::of(ids.iter().map(|id| Named { account_id, id: *id }));
    let sql = |scope: AccountScope, relation| {
        format!(
            "SELECT {} FROM {relation} {} {CONTACT}{}",
            columns(),
            scope.probe("notification_address", "t.id = r.id"),
            scope.condition("c"),
        )
    };
    let found: Vec<Found> = records::read(&AccountScope::select(connection, &rows, sql).await?)?;
    let addresses: Result<Vec<NotificationAddress>, Fault> = found.into_iter().map(Found::address).collect();
    Ok(records::by_id(addresses?, |address: &NotificationAddress| address.id))
}

/// Returns an address by id, also a removed one.
pub(in super::super) async fn address(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    id: NotificationAddressId,
) -> Result<Option<NotificationAddress>, Fault> {
    Ok(addresses_by_id(connection, account_id, &[id]).await?.remove(&id))
}

#[derive(Record)]
struct Numbered {
    number: i64,
    account_id: AccountId,
}

/// Returns for each of these accounts the addresses that were not removed, with the account's number. It is one statement
/// for any number of accounts.
pub(in super::super) async fn addresses_of(
    tx: &Transaction,
    accounts: impl IntoIterator<Item = (i64, AccountId)>,
) -> Result<Vec<(i64, NotificationAddress)>, Fault> {
    let accounts = accounts.into_iter();
    let rows = Rows::of(accounts.map(|(number, account_id)| Numbered { number, account_id }));
    let sql = |scope: AccountScope, relation| {
        format!(
            "SELECT r.number, {} FROM {relation} {} {CONTACT}{} ORDER BY t.created_at, t.id",
            columns(),
            scope.probe("notification_address", "t.removed_at IS NULL"),
            scope.condition("c"),
        )
    };
    let found = AccountScope::select(tx, &rows, sql).await?;
    let addresses = found.iter().map(|row| {
        let mut fields = Fields::of(row);
        Ok((fields.next()?, Found::read(&mut fields)?.address()?))
    });
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
    let names: Vec<&str> = address.wishes.kinds.iter().map(|kind| kind.as_str()).collect();
    let row = AddressRow {
        account_id: address.account_id,
        id: address.id,
        label: address.label.clone(),
        alert_kinds: serde_json::to_string(&names).map_err(|error| Fault::Internal(error.to_string()))?,
        low_balance_threshold: address.wishes.low_balance_threshold,
        maker: address.created_by,
        created_at: address.created_at,
        removed_at: address.removed_at,
    };
    records::save::<notification_address::Entity>(tx, &row).await
}

/// An address beside its contact.
#[derive(FromRow)]
struct Found {
    #[record(flatten)]
    row: AddressRow,
    #[record(flatten)]
    contact: ContactRow,
}

impl Found {
    fn address(self) -> Result<NotificationAddress, Fault> {
        let Self { row, contact } = self;
        Ok(NotificationAddress {
            id: row.id,
            account_id: row.account_id,
            label: row.label,
            contact_since: contact.status_since.unwrap_or(row.created_at),
            contact: contact.contact(row.id.into()),
            wishes: AddressWishes {
                kinds: kinds_of(&row.alert_kinds)?,
                low_balance_threshold: row.low_balance_threshold,
            },
            created_by: row.maker,
            created_at: row.created_at,
            removed_at: row.removed_at,
        })
    }
}

fn kinds_of(json: &str) -> Result<BTreeSet<AlertKind>, Fault> {
    let names: Vec<String> = serde_json::from_str(json).map_err(|_| unreadable("list of kinds", json))?;
    let kinds = names.iter();
    kinds
        .map(|name| AlertKind::from_text(name).ok_or_else(|| unreadable("kind of alert", name)))
        .collect()
}
