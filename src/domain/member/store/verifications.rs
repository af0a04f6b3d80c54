//! SQL of codes that were sent to addresses.

use entity::contact_verification;
use sea_orm::{ConnectionTrait, EntityTrait};
use uuid::Uuid;

use crate::domain::database::bulk::Record;
use crate::domain::database::records::{self, FromRow};
use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, RecipientId};

use super::super::contacts::Verification;

#[derive(Record, FromRow)]
struct VerificationRow {
    account_id: AccountId,
    recipient_id: Uuid,
    email: String,
    code_hash: Vec<u8>,
    tries_left: i32,
    made_at: Timestamp,
}

/// Returns the code that was sent last.
pub(in super::super) async fn verification(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    recipient: RecipientId,
) -> Result<Option<Verification>, Fault> {
    let key = (account_id.number(), recipient.uuid());
    let row: Option<VerificationRow> =
        records::find_one(connection, contact_verification::Entity::find_by_id(key)).await?;
    Ok(row.map(|row| Verification {
        account_id,
        recipient,
        email: row.email,
        code_hash: row.code_hash,
        tries_left: row.tries_left,
        made_at: row.made_at,
    }))
}

/// Writes a code in place of the previous one.
pub(in super::super) async fn save_verification(
    tx: &impl ConnectionTrait,
    verification: &Verification,
) -> Result<(), Fault> {
    let row = VerificationRow {
        account_id: verification.account_id,
        recipient_id: verification.recipient.uuid(),
        email: verification.email.clone(),
        code_hash: verification.code_hash.clone(),
        tries_left: verification.tries_left,
        made_at: verification.made_at,
    };
    records::save::<contact_verification::Entity>(tx, &row).await
}

pub(in super::super) async fn delete_verification(
    tx: &impl ConnectionTrait,
    account_id: AccountId,
    recipient: RecipientId,
) -> Result<(), Fault> {
    let key = (account_id.number(), recipient.uuid());
    contact_verification::Entity::delete_by_id(key).exec(tx).await?;
    Ok(())
}
