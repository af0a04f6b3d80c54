//! The one row about this installation of Ledgerbell.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "installation")]
pub struct Model {
    /// Always 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    /// Distinguishes live cursors of this installation from those of another.
    pub epoch: Uuid,
    /// The account number that is assigned next.
    pub next_account_id: i64,
    /// When the schema was first used.
    pub created_at: i64,
    /// The version of the form of search text.
    pub search_form: i32,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
