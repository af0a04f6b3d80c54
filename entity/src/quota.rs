//! How often an action was done within a time.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "quota")]
pub struct Model {
    /// The action that is counted.
    #[sea_orm(primary_key, auto_increment = false)]
    pub scope: String,
    /// The owner of the count: ids, or the keyed hash of an address.
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: Vec<u8>,
    /// When the count starts over. After that the row is not needed.
    pub ends_at: i64,
    /// Number of uses.
    pub used: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
