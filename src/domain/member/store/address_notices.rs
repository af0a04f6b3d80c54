//! Mails to addresses that contacts no longer have. The notification module sends them.

use entity::address_notice;
use sea_orm::{ConnectionTrait, EntityTrait, IntoActiveModel};

use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{IdMint, IdSeed};

use super::super::model::Contact;

/// Queues a mail to `email`, the address that the contact had.
pub(in super::super) async fn insert_address_notice(
    tx: &impl ConnectionTrait,
    contact: &Contact,
    email: String,
    now: Timestamp,
) -> Result<(), Fault> {
    let row = address_notice::Model {
        account_id: contact.account_id.number(),
        id: IdMint::new(IdSeed::random(), now).next_uuid(),
        email,
        locale: contact.locale.clone(),
        created_at: now.millis(),
        attempts: 0,
        next_attempt_at: now.millis(),
    };
    address_notice::Entity::insert(row.into_active_model())
        .exec_without_returning(tx)
        .await?;
    Ok(())
}
