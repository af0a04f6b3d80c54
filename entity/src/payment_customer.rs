//! What the gateway calls an account.

use sea_orm::entity::prelude::*;

/// What the gateway calls an account.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payment_customer")]
pub struct Model {
    /// Which account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// Which gateway.
    #[sea_orm(primary_key, auto_increment = false)]
    pub gateway: String,
    /// What it calls it.
    pub customer_id: String,
    /// Since when.
    pub created_at: i64,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
