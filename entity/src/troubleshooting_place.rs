//! The last event of an account that was read for the diagnosis, and the fingerprint of the findings.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "troubleshooting_place")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// Number of the last event that was read.
    pub sequence: i64,
    /// The fingerprint of the findings.
    pub fingerprint: Vec<u8>,
    /// When time alone may change the findings.
    pub due_at: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
