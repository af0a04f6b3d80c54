//! An idempotency key that a command was bound to.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_key")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// Who chose the key: PLATFORM, TEAM or SYSTEM. Each has a namespace of its own.
    #[sea_orm(primary_key, auto_increment = false)]
    pub origin: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// SHA-256 of the input it is bound to. Empty when the key has expired; then so is what follows, except the time.
    pub digest: Vec<u8>,
    pub operation: String,
    /// The session it made or changed.
    pub session_id: Option<Uuid>,
    /// The entry it posted.
    pub entry_id: Option<Uuid>,
    /// The top-up it made or changed.
    pub top_up_id: Option<Uuid>,
    /// The time of its first use.
    pub created_at: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
