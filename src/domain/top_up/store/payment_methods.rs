//! Rows of cards, and the gateway's ids of accounts.

use std::collections::HashMap;

use entity::payment_customer;
use entity::payment_method::{Column, Entity, Model};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::domain::database::{Database, Transaction};
use crate::domain::fault::Fault;
use crate::domain::top_up::model::{PaymentMethod, Suspension};
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, PaymentMethodId};

use super::{instant, optional_word, save_row};

fn payment_method(row: Model) -> Result<PaymentMethod, Fault> {
    Ok(PaymentMethod {
        id: PaymentMethodId::from_uuid(row.id),
        account_id: AccountId::from_number(row.account_id),
        gateway_card_id: row.gateway_card_id,
        brand: row.brand,
        last4: row.last4,
        expiry_month: row.expiry_month,
        expiry_year: row.expiry_year,
        fingerprint: row.fingerprint,
        suspension: optional_word(Suspension::from_text, row.suspension.as_ref(), "suspension")?,
        is_default: row.is_default,
        added_at: Timestamp::from_millis(row.added_at),
        last_declined_at: instant(row.last_declined_at),
        removed_at: instant(row.removed_at),
    })
}

/// Writes a new or changed card.
pub(in super::super) async fn save(tx: &Transaction, method: &PaymentMethod) -> Result<(), Fault> {
    let row = Model {
        account_id: method.account_id.number(),
        id: method.id.uuid(),
        gateway_card_id: method.gateway_card_id.clone(),
        brand: method.brand.clone(),
        last4: method.last4.clone(),
        expiry_month: method.expiry_month,
        expiry_year: method.expiry_year,
        fingerprint: method.fingerprint.clone(),
        suspension: method.suspension.map(|suspension| suspension.as_str().to_owned()),
        is_default: method.is_default,
        added_at: method.added_at.millis(),
        last_declined_at: method.last_declined_at.map(Timestamp::millis),
        removed_at: method.removed_at.map(Timestamp::millis),
    };
    save_row::<Entity>(tx, row).await
}

/// Returns an account's cards, including removed ones, oldest first.
pub(in super::super) async fn all(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
) -> Result<Vec<PaymentMethod>, Fault> {
    let rows = Entity::find()
        .filter(Column::AccountId.eq(account_id.number()))
        .order_by_asc(Column::AddedAt)
        .order_by_asc(Column::Id)
        .all(connection)
        .await?;
    rows.into_iter().map(payment_method).collect()
}

/// Returns cards by id, including removed ones.
pub(in super::super) async fn by_ids(
    database: &Database,
    account_id: AccountId,
    ids: &[PaymentMethodId],
) -> Result<HashMap<PaymentMethodId, PaymentMethod>, Fault> {
    let rows = Entity::find()
        .filter(Column::AccountId.eq(account_id.number()))
        .filter(Column::Id.is_in(ids.iter().map(|id| id.uuid())))
        .all(database.read())
        .await?;
    rows.into_iter()
        .map(|row| payment_method(row).map(|method| (method.id, method)))
        .collect()
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
    let row = payment_customer::Model {
        account_id: account_id.number(),
        gateway: gateway.to_owned(),
        customer_id: customer_id.to_owned(),
        created_at: now.millis(),
    };
    save_row::<payment_customer::Entity>(tx, row).await
}
