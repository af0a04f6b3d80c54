//! One numbered thing that happened.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// Position in the account's stream: 1, 2, 3 without gaps.
    #[sea_orm(primary_key, auto_increment = false)]
    pub sequence: i64,
    /// Distinguishes the event from that of the same number in another history.
    pub nonce: i64,
    pub kind: String,
    pub occurred_at: i64,
    /// The entry that was posted.
    pub entry_id: Option<Uuid>,
    /// The session that was updated, or that the entry belongs to.
    pub session_id: Option<Uuid>,
    /// The top-up that was updated, or that the entry belongs to.
    pub top_up_id: Option<Uuid>,
    /// The member that the event is about, or whose session or entry it is.
    pub member_id: Option<Uuid>,
    pub alert_id: Option<Uuid>,
    pub api_key_id: Option<Uuid>,
    /// The new status of the session, top-up, account, API key or alerts.
    pub status: Option<String>,
    /// The balance's version after the event.
    pub balance_version: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
