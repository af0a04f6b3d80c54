//! A message to an endpoint.

use sea_orm::entity::prelude::*;

/// A message to an endpoint, in the account that it is about. A test of an endpoint of the platform has account 0.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_message")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The account of the endpoint, or 0.
    pub endpoint_account_id: i64,
    pub endpoint_id: Uuid,
    /// The number of the event that it is about.
    pub sequence: Option<i64>,
    /// The nonce of that event.
    pub nonce: Option<i64>,
    /// The type in the message.
    pub event_type: String,
    /// The body of the request.
    pub payload: String,
    pub status: String,
    /// Number of attempts that were begun.
    pub attempts: i32,
    /// Number of those that failed since it was created or last sent again on request.
    pub failures: i32,
    /// The time of the next attempt. During an attempt, the end of the worker's claim.
    pub next_attempt_at: Option<i64>,
    pub created_at: i64,
    pub delivered_at: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
