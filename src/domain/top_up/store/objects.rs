//! Owners of the gateway's objects: the only way from a webhook to an account.

use entity::gateway_object::{Entity, Model};
use sea_orm::{ConnectionTrait, EntityTrait};

use crate::domain::database::Transaction;
use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, TopUpId};

use super::save_row;

/// Stores the owner of an object. Done before the object is charged.
pub(in super::super) async fn claim(
    tx: &Transaction,
    (gateway, object_id): (&str, &str),
    (account_id, top_up_id): (AccountId, TopUpId),
    now: Timestamp,
) -> Result<(), Fault> {
    let row = Model {
        gateway: gateway.to_owned(),
        object_id: object_id.to_owned(),
        account_id: account_id.number(),
        top_up_id: top_up_id.uuid(),
        created_at: now.millis(),
    };
    save_row::<Entity>(tx, row).await
}

pub(in super::super) async fn owner(
    connection: &impl ConnectionTrait,
    gateway: &str,
    object_id: &str,
) -> Result<Option<(AccountId, TopUpId)>, Fault> {
    let key = (gateway.to_owned(), object_id.to_owned());
    let row = Entity::find_by_id(key).one(connection).await?;
    Ok(row.map(|row| {
        (
            AccountId::from_number(row.account_id),
            TopUpId::from_uuid(row.top_up_id),
        )
    }))
}
