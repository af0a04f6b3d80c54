//! How often a link to an export was followed.

use sea_orm::entity::prelude::*;

/// How often a link to an export was followed.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "export_use")]
pub struct Model {
    /// The account whose log it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// The link's signature, cut to 16 bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub link_id: Uuid,
    /// How often.
    pub uses: i32,
    /// When the link ends, and this row is of no use any more.
    pub expires_at: i64,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
