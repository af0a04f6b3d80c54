//! A line of the credit log. Only `taken_back` ever changes.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "credit_entry")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// Position in the account's log: 1, 2, 3 without gaps.
    #[sea_orm(primary_key, auto_increment = false)]
    pub sequence: i64,
    pub id: Uuid,
    pub occurred_at: i64,
    pub kind: String,
    /// The contra account.
    pub contra: String,
    /// Credits with their sign.
    pub amount: i64,
    /// The posted balance after the entry.
    pub balance_after: i64,
    /// What entries have added, up to this one. It wraps around.
    pub added_after: i64,
    /// Human-readable text.
    pub description: String,
    /// The kind of actor that caused it.
    pub actor_kind: String,
    /// The API key that caused it.
    pub actor_key_id: Option<Uuid>,
    /// The member who caused it, or on whose behalf the key acted.
    pub actor_member_id: Option<Uuid>,
    /// The member whose use it was.
    pub member_id: Option<Uuid>,
    pub session_id: Option<Uuid>,
    pub top_up_id: Option<Uuid>,
    pub reverses_entry_id: Option<Uuid>,
    /// How much of it was reversed.
    pub taken_back: i64,
    /// The normalized text that searches scan.
    pub search_text: String,
    /// The encoding with which its hash was made.
    pub hash_version: i32,
    /// Hash over the entry and the previous entry's hash.
    pub hash: Vec<u8>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
