//! Part of an entry: what it moved into or out of one lot, or the debt.

use sea_orm::entity::prelude::*;

/// Part of an entry: what it moved into or out of one lot, or the debt.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "lot_movement")]
pub struct Model {
    /// Whose movement it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// The entry it is part of.
    #[sea_orm(primary_key, auto_increment = false)]
    pub entry_id: Uuid,
    /// Its place in the entry.
    #[sea_orm(primary_key, auto_increment = false)]
    pub ordinal: i32,
    /// Which lot; none is the debt.
    pub lot_id: Option<Uuid>,
    /// How much, with its sign.
    pub amount: i64,
    /// How much of a negative movement was given back since.
    pub returned: i64,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
