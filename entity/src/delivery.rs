//! An alert on its way to a recipient by a channel.

use sea_orm::entity::prelude::*;

/// An alert on its way to a recipient by a channel. In the app, the member's inbox.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "delivery")]
pub struct Model {
    /// The team's account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// What it delivers.
    pub alert_id: Uuid,
    /// Whether it is for a member or for a notification address.
    pub recipient_kind: String,
    /// For whom it is.
    pub recipient_id: Uuid,
    /// By which way.
    pub channel: String,
    /// The alert's kind.
    pub kind: String,
    /// The alert's severity.
    pub severity: String,
    /// How far it got.
    pub status: String,
    /// Why it was not to be sent.
    pub suppressed_because: Option<String>,
    /// The address that it was last sent to.
    pub address: Option<String>,
    /// How often it was tried.
    pub attempts: i32,
    /// What went wrong last: a reason of a closed list.
    pub last_error: Option<String>,
    /// When it is due: next, or again if whoever sends it now dies.
    pub next_attempt_at: Option<i64>,
    /// When it was sent.
    pub sent_at: Option<i64>,
    /// When the alert was raised.
    pub created_at: i64,
    /// When what the alert told of had ended.
    pub resolved_at: Option<i64>,
    /// When the member read it.
    pub read_at: Option<i64>,
    /// When the member put it away.
    pub archived_at: Option<i64>,
    /// The event that told of its last mark.
    pub marked_in: Option<i64>,
    /// The delivery in whose mail it was told of, where that was another's.
    pub sent_with: Option<Uuid>,
    /// Since when it is tried, where it was sent again on request. Otherwise since it was written down.
    pub queued_at: Option<i64>,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
