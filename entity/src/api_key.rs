//! An API key. Its secret is stored as a hash.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_key")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The only account that it reaches; 0 for all accounts.
    pub account_id: i64,
    /// The side that it acts for: PLATFORM or TEAM.
    pub side: String,
    /// The public part, by which a key is found.
    pub prefix: String,
    /// SHA-256 of its secret.
    pub secret_hash: Vec<u8>,
    pub name: String,
    /// Its permissions, as bits.
    pub permissions: i64,
    pub created_at: i64,
    /// When it expires.
    pub expires_at: Option<i64>,
    pub revoked_at: Option<i64>,
    /// Who created it: MEMBER, `API_KEY` or SYSTEM; NULL for old keys, whose creator is not known.
    pub maker_kind: Option<String>,
    /// The key that created it.
    pub maker_key_id: Option<Uuid>,
    /// The member who created it, or on whose behalf a key did.
    pub maker_member_id: Option<Uuid>,
    /// Number of keys that it has created. Each creation updates it, so that creating a key and revoking its creator wait
    /// for each other.
    pub keys_made: i64,
    /// Whether the account's stream contains the event of its revocation.
    pub is_announced: bool,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
