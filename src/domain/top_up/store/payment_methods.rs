//! Rows of cards, and the gateway's ids of accounts.

use std::collections::HashMap;

use entity::payment_customer;
use entity::payment_method::{Column, Entity};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::domain::database::bulk::Record;
use crate::domain::database::{Database, Transaction, records, select};
use crate::domain::fault::Fault;
use crate::domain::top_up::model::PaymentMethod;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, PaymentMethodId};

#[derive(Record)]
struct PaymentCustomerRow<'a> {
    account_id: AccountId,
    #[record(text)]
    gateway: &'a str,
    #[record(text)]
    customer_id: &'a str,
    created_at: Timestamp,
}

/// Writes a new or changed card.
pub(in super::super) async fn save(tx: &Transaction, method: &PaymentMethod) -> Result<(), Fault> {
    records::save::<Entity>(tx, method).await
}

/// Returns an account's cards, including removed ones, oldest first.
pub(in super::super) async fn all(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
) -> Result<Vec<PaymentMethod>, Fault> {
    let query = Entity::find()
        .filter(Column::AccountId.eq(account_id))
        .order_by_asc(Column::AddedAt)
        .order_by_asc(Column::Id);
    records::find(connection, query).await
}

/// Returns cards by id, including removed ones.
pub(in super::super) async fn by_ids(
    database: &Database,
    account_id: AccountId,
    ids: &[PaymentMethodId],
) -> Result<HashMap<PaymentMethodId, PaymentMethod>, Fault> {
    let id = |card: &PaymentMethod| card.id;
    select::by_ids(database, account_id, "payment_method", ids, id).await
}

/// Returns the gateway's id of the account.
pub(in super::super) async fn customer(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    gateway: &str,
) -> Result<Option<String>, Fault> {
    let key = (account_id.number(), gateway.to_owned());
    let row = payment_customer::Entity::find_by_id(key).one(connection).await?;
    Ok(row.map(|row| row.customer_id))
}

/// Stores the gateway's id of the account, unless one is stored already.
pub(in super::super) async fn insert_customer(
    tx: &Transaction,
    account_id: AccountId,
    (gateway, customer_id): (&str, &str),
    now: Timestamp,
) -> Result<(), Fault> {
    if customer(tx, account_id, gateway).await?.is_some() {
        return Ok(());
    }
    let customer = PaymentCustomerRow {
        account_id,
        gateway,
        customer_id,
        created_at: now,
    };
    records::save::<payment_customer::Entity>(tx, &customer).await
}
