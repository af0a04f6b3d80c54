//! Part of an open session's hold.

use sea_orm::entity::prelude::*;

/// Part of an open session's hold.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "session_hold")]
pub struct Model {
    /// Whose hold it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// The session.
    #[sea_orm(primary_key, auto_increment = false)]
    pub session_id: Uuid,
    /// Its place among the session's parts.
    #[sea_orm(primary_key, auto_increment = false)]
    pub ordinal: i32,
    /// When it was booked.
    pub booked_at: i64,
    /// How much.
    pub amount: i64,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
