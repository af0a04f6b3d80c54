//! An address that gets alerts and is no member's.

use sea_orm::entity::prelude::*;

/// An address that gets alerts and is no member's. Where mail goes is its row of `contact`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "notification_address")]
pub struct Model {
    /// The team's account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// What the team calls it.
    pub label: String,
    /// JSON: the kinds of alerts that it gets.
    pub alert_kinds: String,
    /// Units of credit at or below which the balance is low.
    pub low_balance_threshold: Option<i64>,
    /// What kind of caller added it.
    pub maker_kind: String,
    /// The API key that added it.
    pub maker_key_id: Option<Uuid>,
    /// The member who added it.
    pub maker_member_id: Option<Uuid>,
    /// When it was added.
    pub created_at: i64,
    /// Since when it gets nothing.
    pub removed_at: Option<i64>,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
