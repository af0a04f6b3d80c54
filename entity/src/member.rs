//! A person of a team.

use sea_orm::entity::prelude::*;

/// A person of a team.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "member")]
pub struct Model {
    /// The team's account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The platform's own id.
    pub external_id: Option<String>,
    /// For people.
    pub name: String,
    /// The standing in the team.
    pub role: String,
    /// When the member left.
    pub removed_at: Option<i64>,
    /// When the member came back after having left.
    pub returned_at: Option<i64>,
    /// Grows by one with every change.
    pub version: i32,
    /// When the member was added.
    pub created_at: i64,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
