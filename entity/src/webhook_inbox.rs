//! A webhook as it came.

use sea_orm::entity::prelude::*;

/// A webhook as it came.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_inbox")]
pub struct Model {
    /// From which gateway.
    #[sea_orm(primary_key, auto_increment = false)]
    pub gateway: String,
    /// The gateway's id of it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub event_id: String,
    /// What it is about.
    pub kind: String,
    /// The object to read.
    pub object_id: Option<String>,
    /// As it came.
    pub body: Vec<u8>,
    /// How far it is.
    pub status: String,
    /// How often it was tried.
    pub tries: i32,
    /// Why the last try failed.
    pub last_error: Option<String>,
    /// When it came.
    pub received_at: i64,
    /// When it was dealt with.
    pub applied_at: Option<i64>,
    /// When a worker goes on with it.
    pub due_at: Option<i64>,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
