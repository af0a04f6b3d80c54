//! The account that has an external id.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account_directory")]
pub struct Model {
    /// The platform's own id of the account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub external_id: String,
    pub account_id: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
