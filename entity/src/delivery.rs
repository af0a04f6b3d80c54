//! An alert on its way to a recipient by a channel.

use sea_orm::entity::prelude::*;

/// An alert on its way to a recipient by a channel. In the app, the member's inbox.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "delivery")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub alert_id: Uuid,
    /// Whether it is for a member or for a notification address.
    pub recipient_kind: String,
    /// The member or notification address that it is for.
    pub recipient_id: Uuid,
    /// By which way.
    pub channel: String,
    pub kind: String,
    pub severity: String,
    /// The result so far.
    pub status: String,
    /// Why it is not sent.
    pub suppressed_because: Option<String>,
    /// The address that it was last sent to.
    pub address: Option<String>,
    /// Number of attempts so far.
    pub attempts: i32,
    /// The last failure: a reason of a closed list.
    pub last_error: Option<String>,
    /// The time of the next attempt. During an attempt, the end of the worker's claim.
    pub next_attempt_at: Option<i64>,
    pub sent_at: Option<i64>,
    /// When the alert was raised.
    pub created_at: i64,
    /// When the alert's condition ended.
    pub resolved_at: Option<i64>,
    pub read_at: Option<i64>,
    /// When the member archived it.
    pub archived_at: Option<i64>,
    /// The event of its last mark.
    pub marked_in: Option<i64>,
    /// The delivery whose mail contained this one, if it was another one.
    pub sent_with: Option<Uuid>,
    /// The start of the attempts, if it was sent again on request; otherwise it is the time of creation.
    pub queued_at: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
