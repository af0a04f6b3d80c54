//! How often something was done in a time.

use sea_orm::entity::prelude::*;

/// How often something was done in a time.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "quota")]
pub struct Model {
    /// What is counted.
    #[sea_orm(primary_key, auto_increment = false)]
    pub scope: String,
    /// Of whom or of what: ids, or the keyed hash of an address.
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: Vec<u8>,
    /// When the count starts over, and this row is of no use any more.
    pub ends_at: i64,
    /// How often it was done.
    pub used: i64,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
