//! When an account is checked again for alerts, even without new events. Accounts without such a time have no
//! row.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "alert_due")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// Until when alerts about the balance are held back, because a purchase of credits is expected.
    pub held_until: Option<i64>,
    /// The time of the next reminder.
    pub remind_at: Option<i64>,
    /// The earlier of the two.
    pub due_at: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
