//! An alert that is open: it is not raised again before it has ended.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "alert_edge")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: String,
    /// The recipient whose threshold was crossed or whose address bounces; nil for an edge of the account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub recipient_id: Uuid,
    /// Whether that is a member or a notification address.
    pub recipient_kind: String,
    /// The alert that was raised.
    pub alert_id: Uuid,
    /// Of a low balance: the level that it fell to or below.
    pub level: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
