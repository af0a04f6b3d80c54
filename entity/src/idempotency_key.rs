//! A key that a command was bound to.

use sea_orm::entity::prelude::*;

/// A key that a command was bound to.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_key")]
pub struct Model {
    /// Whose key it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// Who chose it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub origin: String,
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// SHA-256 of the input it is bound to.
    pub digest: Vec<u8>,
    /// The operation.
    pub operation: String,
    /// The session it made or changed.
    pub session_id: Option<Uuid>,
    /// The entry it posted.
    pub entry_id: Option<Uuid>,
    /// The top-up it made or changed.
    pub top_up_id: Option<Uuid>,
    /// When it was first used.
    pub created_at: i64,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
