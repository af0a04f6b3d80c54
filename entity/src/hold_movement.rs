//! A change of what a session, a dispute or a refund holds. Rows never change.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "hold_movement")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// The session that holds, or the top-up that is disputed or refunded.
    #[sea_orm(primary_key, auto_increment = false)]
    pub holder_id: Uuid,
    /// The number of the event that reports the change.
    #[sea_orm(primary_key, auto_increment = false)]
    pub sequence: i64,
    /// The kind of holder.
    pub holder: String,
    pub occurred_at: i64,
    /// The change of the hold, with its sign.
    pub amount: i64,
    /// What the holder holds after the change.
    pub held: i64,
    /// What the account holds after the change.
    pub held_after: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
