//! What a member wants to be told of.

use sea_orm::entity::prelude::*;

/// What a member wants to be told of.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "notification_settings")]
pub struct Model {
    /// The team's account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// Whose settings they are.
    #[sea_orm(primary_key, auto_increment = false)]
    pub member_id: Uuid,
    /// JSON: for a kind and a channel, such as `LOW_BALANCE EMAIL`, whether it is wanted. Defaults are left out.
    pub preferences: String,
    /// Units of credit at or below which the balance is low.
    pub low_balance_threshold: Option<i64>,
    /// The minute of the day at which quiet hours begin.
    pub quiet_start: Option<i32>,
    /// The minute of the day at which they end.
    pub quiet_end: Option<i32>,
    /// Grows by one with every change.
    pub version: i32,
    /// When they last changed.
    pub changed_at: Option<i64>,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
