//! The one row about this installation of Ledgerbell.

use sea_orm::entity::prelude::*;

/// The one row about this installation of Ledgerbell.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "installation")]
pub struct Model {
    /// Always 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    /// Tells live cursors of one installation from those of another.
    pub epoch: Uuid,
    /// The account number that is handed out next.
    pub next_account_id: i64,
    /// When the schema was first used.
    pub created_at: i64,
    /// In which form text is kept for searching.
    pub search_form: i32,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
