//! A purchase of credits.

use sea_orm::entity::prelude::*;

/// A purchase of credits.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "top_up")]
pub struct Model {
    /// Whose purchase it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// How far it got.
    pub status: String,
    /// A person or the account's rule.
    pub origin: String,
    /// How many.
    pub credits: i64,
    /// What they cost, in the currency's minor unit.
    pub price_minor: i64,
    /// ISO code of the currency.
    pub currency: String,
    /// Who asked for it, by kind.
    pub actor_kind: String,
    /// The API key that asked.
    pub actor_key_id: Option<Uuid>,
    /// The member who asked, or on whose behalf the key acted.
    pub actor_member_id: Option<Uuid>,
    /// The entry that credited it.
    pub entry_id: Option<Uuid>,
    /// How many were taken back.
    pub credits_reversed: i64,
    /// When it was asked for.
    pub created_at: i64,
    /// When it last changed.
    pub updated_at: i64,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
