//! Owners of the gateway's objects: the only way from a webhook to an account.

use entity::gateway_object::Entity;
use sea_orm::{ConnectionTrait, EntityTrait};

use crate::domain::database::Transaction;
use crate::domain::database::bulk::Record;
use crate::domain::database::records::{self, FromRow};
use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, TopUpId};

#[derive(Record, FromRow)]
struct OwnedObject {
    gateway: String,
    object_id: String,
    account_id: AccountId,
    top_up_id: TopUpId,
    created_at: Timestamp,
}

/// Stores the owner of an object. Done before the object is charged.
pub(in super::super) async fn claim(
    tx: &Transaction,
    (gateway, object_id): (&str, &str),
    (account_id, top_up_id): (AccountId, TopUpId),
    now: Timestamp,
) -> Result<(), Fault> {
    let object = OwnedObject {
        gateway: gateway.to_owned(),
        object_id: object_id.to_owned(),
        account_id,
        top_up_id,
        created_at: now,
    };
    records::save::<Entity>(tx, &object).await
}

pub(in super::super) async fn owner(
    connection: &impl ConnectionTrait,
    gateway: &str,
    object_id: &str,
) -> Result<Option<(AccountId, TopUpId)>, Fault> {
    let key = (gateway.to_owned(), object_id.to_owned());
    let object: Option<OwnedObject> = records::find_one(connection, Entity::find_by_id(key)).await?;
    Ok(object.map(|object| (object.account_id, object.top_up_id)))
}
