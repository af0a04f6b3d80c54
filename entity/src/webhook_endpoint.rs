//! An endpoint that gets messages about events.

use sea_orm::entity::prelude::*;

/// An endpoint that gets messages about events. Those of the platform, for the events of all accounts, have account 0.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_endpoint")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub url: String,
    /// The owner's note.
    pub description: String,
    /// JSON: the types of events that it gets; an empty list for all.
    pub event_types: String,
    /// JSON with a version: which entries it gets; null for all.
    pub entry_filter: Option<String>,
    pub disabled_at: Option<i64>,
    /// Why it is disabled.
    pub disabled_because: Option<String>,
    /// It gets the events since then.
    pub enabled_at: i64,
    /// Since when every attempt failed.
    pub failing_since: Option<i64>,
    /// How often its secret was made.
    pub secret_generation: i32,
    /// Until when the secret before signs too.
    pub previous_secret_until: Option<i64>,
    /// What kind of caller created it.
    pub maker_kind: String,
    /// The API key that created it.
    pub maker_key_id: Option<Uuid>,
    /// The member who created it.
    pub maker_member_id: Option<Uuid>,
    pub created_at: i64,
    pub removed_at: Option<i64>,
    pub version: i32,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
