//! Credits that came in together and share an expiry.

use sea_orm::entity::prelude::*;

/// Credits that came in together and share an expiry.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "credit_lot")]
pub struct Model {
    /// Whose lot it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Bought or given.
    pub kind: String,
    /// What came in.
    pub granted: i64,
    /// What is left.
    pub remaining: i64,
    /// Spent first when lower.
    pub priority: i32,
    /// When the remainder runs out of time.
    pub expires_at: Option<i64>,
    /// When it was made.
    pub created_at: i64,
    /// The entry that made it.
    pub entry_id: Uuid,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
