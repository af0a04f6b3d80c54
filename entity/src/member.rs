//! A member of a team.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "member")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The platform's own id.
    pub external_id: Option<String>,
    pub name: String,
    /// OWNER, ADMIN or MEMBER.
    pub role: String,
    /// When the member left the team.
    pub removed_at: Option<i64>,
    /// When the member came back after leaving.
    pub returned_at: Option<i64>,
    /// Grows by one with every change.
    pub version: i32,
    pub created_at: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
