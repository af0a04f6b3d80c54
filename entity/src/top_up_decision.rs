//! What an evaluation of an account's rule came to.

use sea_orm::entity::prelude::*;

/// What an evaluation of an account's rule came to.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "top_up_decision")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// When it was first come to.
    pub created_at: i64,
    /// When it was last come to.
    pub decided_at: i64,
    /// What it came to.
    pub outcome: String,
    /// What could be spent.
    pub available: i64,
    /// The level it was held against.
    pub trigger_credits: Option<i64>,
    /// In words for people.
    pub message: String,
    /// What was started.
    pub top_up_id: Option<Uuid>,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
