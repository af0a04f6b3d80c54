//! SQL of codes that were sent to addresses.

use entity::contact_verification;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ConnectionTrait, EntityTrait, IntoActiveModel};

use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, RecipientId};

use super::super::contacts::Verification;

/// Returns the code that was sent last.
pub(in super::super) async fn verification(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    recipient: RecipientId,
) -> Result<Option<Verification>, Fault> {
    let key = (account_id.number(), recipient.uuid());
    let row = contact_verification::Entity::find_by_id(key).one(connection).await?;
    Ok(row.map(|row| Verification {
        account_id,
        recipient,
        email: row.email,
        code_hash: row.code_hash,
        tries_left: row.tries_left,
        made_at: Timestamp::from_millis(row.made_at),
    }))
}

/// Writes a code in place of the previous one.
pub(in super::super) async fn save_verification(
    tx: &impl ConnectionTrait,
    verification: &Verification,
) -> Result<(), Fault> {
    use contact_verification::Column;
    let row = contact_verification::Model {
        account_id: verification.account_id.number(),
        recipient_id: verification.recipient.uuid(),
        email: verification.email.clone(),
        code_hash: verification.code_hash.clone(),
        tries_left: verification.tries_left,
        made_at: verification.made_at.millis(),
    };
    let replace = OnConflict::columns([Column::AccountId, Column::RecipientId])
        .update_columns([Column::Email, Column::CodeHash, Column::TriesLeft, Column::MadeAt])
        .to_owned();
    contact_verification::Entity::insert(row.into_active_model())
        .on_conflict(replace)
        .exec_without_returning(tx)
        .await?;
    Ok(())
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
