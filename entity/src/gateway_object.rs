//! An object of the gateway's, and the top-up that it belongs to.

use sea_orm::entity::prelude::*;

/// An object of the gateway's, and the top-up that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "gateway_object")]
pub struct Model {
    /// Which gateway.
    #[sea_orm(primary_key, auto_increment = false)]
    pub gateway: String,
    /// What it calls it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub object_id: String,
    /// Whose.
    pub account_id: i64,
    /// Which top-up.
    pub top_up_id: Uuid,
    /// Since when.
    pub created_at: i64,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
