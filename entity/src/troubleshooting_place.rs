//! How far an account was looked at for what is wrong.

use sea_orm::entity::prelude::*;

/// How far an account was looked at for what is wrong, and what was found.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "troubleshooting_place")]
pub struct Model {
    /// Which account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// Number of the last event that was looked at.
    pub sequence: i64,
    /// Of what was found.
    pub fingerprint: Vec<u8>,
    /// When time alone may change what is wrong.
    pub due_at: Option<i64>,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
