//! The notification settings of a member.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "notification_settings")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub member_id: Uuid,
    /// JSON: for a kind and a channel, such as `LOW_BALANCE EMAIL`, whether it is switched on. Defaults are left
    /// out.
    pub preferences: String,
    /// The balance is low at or below this, in units of credits.
    pub low_balance_threshold: Option<i64>,
    /// The minute of the day at which quiet hours begin.
    pub quiet_start: Option<i32>,
    /// The minute of the day at which they end.
    pub quiet_end: Option<i32>,
    /// Grows by one with every change.
    pub version: i32,
    pub changed_at: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
