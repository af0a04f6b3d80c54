//! An alert for members of an account.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "alert")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub kind: String,
    pub severity: String,
    /// Identifies the cause: one alert is raised for each key.
    pub dedupe_key: String,
    /// The member that the alert is about.
    pub subject_id: Option<Uuid>,
    /// JSON: the values in the alert's text.
    pub facts: String,
    /// The entry that the alert is about.
    pub entry_id: Option<Uuid>,
    /// The session that the alert is about.
    pub session_id: Option<Uuid>,
    /// The top-up that the alert is about.
    pub top_up_id: Option<Uuid>,
    pub raised_at: i64,
    /// When the alert's condition ended.
    pub resolved_at: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
