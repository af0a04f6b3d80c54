//! A code that was sent to an address.

use sea_orm::entity::prelude::*;

/// A code that was sent to an address.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "contact_verification")]
pub struct Model {
    /// The team's account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// Whose address it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub recipient_id: Uuid,
    /// The address.
    pub email: String,
    /// HMAC-SHA-256 of the code, the recipient and the address, by a key that is not in the database.
    pub code_hash: Vec<u8>,
    /// How many wrong codes are still taken.
    pub tries_left: i32,
    /// When it was made.
    pub made_at: i64,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
