//! When an account is looked at again for alerts, whatever happens.

use sea_orm::entity::prelude::*;

/// When an account is looked at again for alerts, whatever happens. Accounts that wait for nothing have no row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "alert_due")]
pub struct Model {
    /// Which account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// Until when alerts about the balance are held back, because credits are about to come.
    pub held_until: Option<i64>,
    /// When there is next something to be reminded of.
    pub remind_at: Option<i64>,
    /// The earlier of the two.
    pub due_at: i64,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
