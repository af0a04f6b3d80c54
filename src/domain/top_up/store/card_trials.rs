//! Rows of card trials.

use entity::card_trial::{Column, Entity};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::domain::database::{Transaction, records};
use crate::domain::fault::Fault;
use crate::domain::top_up::model::CardTrial;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::AccountId;

/// Returns the trials of the account since then. Deletes older trials.
pub(in super::super) async fn since(
    tx: &Transaction,
    account_id: AccountId,
    from: Timestamp,
) -> Result<Vec<CardTrial>, Fault> {
    let of_account = Column::AccountId.eq(account_id);
    let old = Column::TriedAt.lte(from);
    Entity::delete_many()
        .filter(of_account.clone())
        .filter(old)
        .exec(tx)
        .await?;
    records::find(tx, Entity::find().filter(of_account)).await
}

pub(in super::super) async fn save(tx: &Transaction, account_id: AccountId, trial: &CardTrial) -> Result<(), Fault> {
    records::save::<Entity>(tx, &(account_id, trial)).await
}
