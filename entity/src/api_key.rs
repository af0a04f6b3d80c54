//! An API key; its secret is kept as a hash.

use sea_orm::entity::prelude::*;

/// An API key; its secret is kept as a hash.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_key")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The one account it is for; 0 for all.
    pub account_id: i64,
    /// On whose behalf it acts: PLATFORM or TEAM.
    pub side: String,
    /// What a presented key is found by.
    pub prefix: String,
    /// SHA-256 of its secret.
    pub secret_hash: Vec<u8>,
    /// For people.
    pub name: String,
    /// What it may do, as bits.
    pub permissions: i64,
    /// When it was made.
    pub created_at: i64,
    /// When it ends by itself.
    pub expires_at: Option<i64>,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
    /// Who made it: MEMBER, `API_KEY` or SYSTEM; not known of old ones.
    pub maker_kind: Option<String>,
    /// The key that made it.
    pub maker_key_id: Option<Uuid>,
    /// The member who made it, or on whose behalf a key did.
    pub maker_member_id: Option<Uuid>,
    /// How many keys it has made. Written with each of them, so that making one and revoking its maker wait for each other.
    pub keys_made: i64,
    /// Whether the account's stream tells that it was revoked.
    pub is_announced: bool,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
