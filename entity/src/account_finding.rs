//! The number of findings of an account at its last check.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account_finding")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    pub findings: i32,
    /// The highest severity of them.
    pub severity: Option<String>,
    /// When it was checked; 0 before the first check.
    pub checked_at: i64,
    /// The last event that the check has seen.
    pub checked_sequence: i64,
    /// When it is checked again, even without a new event. `None` before the first check.
    pub due_at: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
