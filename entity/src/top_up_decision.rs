//! The result of an evaluation of an account's rule.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "top_up_decision")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The first evaluation with this result.
    pub created_at: i64,
    /// The last evaluation with this result.
    pub decided_at: i64,
    pub outcome: String,
    /// Available credits at the evaluation.
    pub available: i64,
    /// The level that they were compared with.
    pub trigger_credits: Option<i64>,
    /// Human-readable reason.
    pub message: String,
    /// The top-up that was started.
    pub top_up_id: Option<Uuid>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
