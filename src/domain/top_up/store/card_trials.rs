//! Rows of card trials.

use entity::card_trial::{Column, Entity, Model};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::domain::database::Transaction;
use crate::domain::fault::Fault;
use crate::domain::top_up::model::{CardTrial, TrialKind};
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::AccountId;

use super::{save_row, word};

/// Returns the trials of the account since then. Deletes older trials.
pub(in super::super) async fn since(
    tx: &Transaction,
    account_id: AccountId,
    from: Timestamp,
) -> Result<Vec<CardTrial>, Fault> {
    let of_account = Column::AccountId.eq(account_id.number());
    let old = Column::TriedAt.lte(from.millis());
    Entity::delete_many()
        .filter(of_account.clone())
        .filter(old)
        .exec(tx)
        .await?;
    let rows = Entity::find().filter(of_account).all(tx).await?;
    let trials = rows.into_iter().map(|row| {
        Ok(CardTrial {
            kind: word(TrialKind::from_text, &row.kind, "kind")?,
            subject: row.subject,
            actor_id: row.actor_id,
            tried_at: Timestamp::from_millis(row.tried_at),
        })
    });
    trials.collect()
}

pub(in super::super) async fn save(tx: &Transaction, account_id: AccountId, trial: &CardTrial) -> Result<(), Fault> {
    let row = Model {
        account_id: account_id.number(),
        kind: trial.kind.as_str().to_owned(),
        subject: trial.subject.clone(),
        actor_id: trial.actor_id,
        tried_at: trial.tried_at.millis(),
    };
    save_row::<Entity>(tx, row).await
}
