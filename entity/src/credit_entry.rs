//! A line of the credit log. Only `taken_back` ever changes.

use sea_orm::entity::prelude::*;

/// A line of the credit log. Only `taken_back` ever changes.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "credit_entry")]
pub struct Model {
    /// Whose entry it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// Its number: 1, 2, 3 without holes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub sequence: i64,
    /// Its id.
    pub id: Uuid,
    /// When.
    pub occurred_at: i64,
    /// What it records.
    pub kind: String,
    /// The other side.
    pub contra: String,
    /// How much, with its sign.
    pub amount: i64,
    /// The balance after it.
    pub balance_after: i64,
    /// For people.
    pub description: String,
    /// Who caused it, by kind.
    pub actor_kind: String,
    /// The API key that caused it.
    pub actor_key_id: Option<Uuid>,
    /// The member who caused it, or on whose behalf the key acted.
    pub actor_member_id: Option<Uuid>,
    /// Whose use it was.
    pub member_id: Option<Uuid>,
    /// Its session.
    pub session_id: Option<Uuid>,
    /// Its top-up.
    pub top_up_id: Option<Uuid>,
    /// The entry it reverses.
    pub reverses_entry_id: Option<Uuid>,
    /// How much of it was given or taken back.
    pub taken_back: i64,
    /// What searching looks through.
    pub search_text: String,
    /// The encoding its hash was made with.
    pub hash_version: i32,
    /// Chains to the entry before.
    pub hash: Vec<u8>,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
