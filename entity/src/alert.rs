//! Something members should know.

use sea_orm::entity::prelude::*;

/// Something members should know.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "alert")]
pub struct Model {
    /// Where it was raised.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// What it is.
    pub kind: String,
    /// How much it matters.
    pub severity: String,
    /// What it was raised for: the same is raised once.
    pub dedupe_key: String,
    /// The member it is about.
    pub subject_id: Option<Uuid>,
    /// JSON: what there is to say beyond the kind.
    pub facts: String,
    /// The entry it is about.
    pub entry_id: Option<Uuid>,
    /// The session it is about.
    pub session_id: Option<Uuid>,
    /// The top-up it is about.
    pub top_up_id: Option<Uuid>,
    /// When it was raised.
    pub raised_at: i64,
    /// When what it told of had ended.
    pub resolved_at: Option<i64>,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
