//! Credits held while a top-up is disputed.

use sea_orm::entity::prelude::*;

/// Credits held while a top-up is disputed.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "dispute_hold")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// Which top-up.
    #[sea_orm(primary_key, auto_increment = false)]
    pub top_up_id: Uuid,
    /// How many.
    pub amount: i64,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
