//! A webhook as received.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_inbox")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub gateway: String,
    /// The gateway's id of the webhook.
    #[sea_orm(primary_key, auto_increment = false)]
    pub event_id: String,
    /// The type of webhook.
    pub kind: String,
    /// The object to read from the gateway.
    pub object_id: Option<String>,
    /// The body as received.
    pub body: Vec<u8>,
    pub status: String,
    /// Number of attempts so far.
    pub tries: i32,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    pub received_at: i64,
    /// When it was processed.
    pub applied_at: Option<i64>,
    /// When a worker continues with it.
    pub due_at: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
