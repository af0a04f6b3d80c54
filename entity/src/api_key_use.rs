//! When an API key was last used.

use sea_orm::entity::prelude::*;

/// When an API key was last used.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_key_use")]
pub struct Model {
    /// The key's account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub api_key_id: Uuid,
    /// When, to about a minute.
    pub last_used_at: i64,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
