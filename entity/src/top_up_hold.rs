//! Credits held for a top-up: while it is disputed, and while money of it is to go back.

use sea_orm::entity::prelude::*;

/// Credits held for a top-up: while it is disputed, and while money of it is to go back.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "top_up_hold")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// Which top-up.
    #[sea_orm(primary_key, auto_increment = false)]
    pub top_up_id: Uuid,
    /// How many in all.
    pub amount: i64,
    /// What its refunds that are under way will take.
    pub refunding: i64,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
