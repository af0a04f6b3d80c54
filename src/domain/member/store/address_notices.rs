//! Mails to addresses that contacts no longer have. The notification module sends them.

use entity::address_notice;
use sea_orm::ConnectionTrait;
use uuid::Uuid;

use crate::domain::database::bulk::{Record, Rows};
use crate::domain::database::records;
use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, IdMint, IdSeed};

use super::super::model::Contact;

#[derive(Record)]
struct NoticeRow {
    account_id: AccountId,
    id: Uuid,
    email: String,
    locale: String,
    created_at: Timestamp,
    attempts: i32,
    next_attempt_at: Timestamp,
}

/// Queues a mail to `email`, the address that the contact had.
pub(in super::super) async fn insert_address_notice(
    tx: &impl ConnectionTrait,
    contact: &Contact,
    email: String,
    now: Timestamp,
) -> Result<(), Fault> {
    let row = Rows::of([NoticeRow {
        account_id: contact.account_id,
        id: IdMint::new(IdSeed::random(), now).next_uuid(),
        email,
        locale: contact.locale.clone(),
        created_at: now,
        attempts: 0,
        next_attempt_at: now,
    }]);
    records::insert_all::<address_notice::Entity>(tx, &row).await
}
