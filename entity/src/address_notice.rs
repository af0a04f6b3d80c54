//! A mail to an address that a contact no longer has.

use sea_orm::entity::prelude::*;

/// A mail to an address that a contact no longer has. Deleted once it is sent or given up.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "address_notice")]
pub struct Model {
    /// The team's account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The old address.
    pub email: String,
    /// The language of the contact.
    pub locale: String,
    /// When the address was changed.
    pub created_at: i64,
    /// How often it was tried.
    pub attempts: i32,
    /// When it is tried next; the end of a worker's claim while one is trying.
    pub next_attempt_at: i64,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
