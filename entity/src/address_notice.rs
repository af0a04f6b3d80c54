//! A mail to an address that a contact no longer has. Deleted once it is sent or given up.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "address_notice")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The old address.
    pub email: String,
    /// The language of the contact.
    pub locale: String,
    /// When the address was changed.
    pub created_at: i64,
    /// Number of attempts so far.
    pub attempts: i32,
    /// The time of the next attempt. During an attempt, the end of the worker's claim.
    pub next_attempt_at: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
