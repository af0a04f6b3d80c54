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
    /// Why the last attempt failed.
    pub failure_code: Option<String>,
    /// When the next automatic attempt is due.
    pub next_attempt_at: Option<i64>,
    /// When somebody wished it canceled.
    pub cancel_requested_at: Option<i64>,
    /// Where the customer confirms with the bank.
    pub action_url: Option<String>,
    /// Until when that is waited for.
    pub action_expires_at: Option<i64>,
    /// The gateway's object that is charged for it.
    pub object_id: Option<String>,
    /// How many objects were made for it before.
    pub object_number: i32,
    /// What went back by refunds and late failures.
    pub returned_minor: i64,
    /// What of that came back, because refunds failed later.
    pub came_back_minor: i64,
    /// When it was last heard that a refund had failed.
    pub came_back_at: Option<i64>,
    /// How a dispute stands.
    pub dispute: Option<String>,
    /// What the dispute is about.
    pub disputed_minor: i64,
    /// When it was asked for.
    pub created_at: i64,
    /// When it last changed.
    pub updated_at: i64,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
