//! A code that was sent to an address.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "contact_verification")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub recipient_id: Uuid,
    /// The address.
    pub email: String,
    /// HMAC-SHA-256 of the code, the recipient and the address, by a key that is not in the database.
    pub code_hash: Vec<u8>,
    /// How many wrong codes may still be entered.
    pub tries_left: i32,
    pub made_at: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
