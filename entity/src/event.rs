//! One numbered thing that happened.

use sea_orm::entity::prelude::*;

/// One numbered thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event")]
pub struct Model {
    /// Where it happened.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// Its number: 1, 2, 3 without holes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub sequence: i64,
    /// Tells it from the event of this number in another history.
    pub nonce: i64,
    /// What happened.
    pub kind: String,
    /// When.
    pub occurred_at: i64,
    /// The entry it is about.
    pub entry_id: Option<Uuid>,
    /// The session it is about.
    pub session_id: Option<Uuid>,
    /// The top-up it is about.
    pub top_up_id: Option<Uuid>,
    /// The member it is about, or whose session or entry it is.
    pub member_id: Option<Uuid>,
    /// The alert it is about.
    pub alert_id: Option<Uuid>,
    /// The API key it is about.
    pub api_key_id: Option<Uuid>,
    /// The new status of the session, top-up or account.
    pub status: Option<String>,
    /// The balance's version after it.
    pub balance_version: Option<i64>,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
