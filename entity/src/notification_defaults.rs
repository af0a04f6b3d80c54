//! What the members of an account are told of unless they say otherwise.

use sea_orm::entity::prelude::*;

/// What the members of an account are told of unless they say otherwise.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "notification_defaults")]
pub struct Model {
    /// The team's account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// JSON, as in the settings of members. What the platform's defaults say is left out.
    pub preferences: String,
    /// Grows by one with every change.
    pub version: i32,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
