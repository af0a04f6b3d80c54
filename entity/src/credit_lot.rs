//! Credits that came in together and share an expiry.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "credit_lot")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// PAID or PROMOTIONAL.
    pub kind: String,
    /// Credits that came in.
    pub granted: i64,
    /// Credits that are left.
    pub remaining: i64,
    /// Lots with a lower number are spent first.
    pub priority: i32,
    /// When the remainder expires; NULL is never.
    pub expires_at: Option<i64>,
    pub created_at: i64,
    /// The entry that created it.
    pub entry_id: Uuid,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
