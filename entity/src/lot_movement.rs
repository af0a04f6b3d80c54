//! Part of an entry: what it moved into or out of one lot, or the debt.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "lot_movement")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub entry_id: Uuid,
    /// Position among the entry's movements.
    #[sea_orm(primary_key, auto_increment = false)]
    pub ordinal: i32,
    /// The lot; NULL for the debt.
    pub lot_id: Option<Uuid>,
    /// Credits with their sign.
    pub amount: i64,
    /// Of a negative movement: credits that were returned since.
    pub returned: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
