//! Which account has this external id.

use sea_orm::entity::prelude::*;

/// Which account has this external id.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account_directory")]
pub struct Model {
    /// The platform's own id of the account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub external_id: String,
    /// The account.
    pub account_id: i64,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
