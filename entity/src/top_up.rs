//! A purchase of credits.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "top_up")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub status: String,
    /// Whether a person or the account's rule started it.
    pub origin: String,
    /// Credits that it buys.
    pub credits: i64,
    /// The price in the currency's minor unit.
    pub price_minor: i64,
    /// ISO code of the currency.
    pub currency: String,
    /// The kind of actor that requested it.
    pub actor_kind: String,
    /// The API key that requested it.
    pub actor_key_id: Option<Uuid>,
    /// The member who requested it, or on whose behalf the key acted.
    pub actor_member_id: Option<Uuid>,
    /// The entry that credited it.
    pub entry_id: Option<Uuid>,
    /// Credits that were reversed.
    pub credits_reversed: i64,
    /// Why the last attempt failed.
    pub failure_code: Option<String>,
    /// When the next automatic attempt is due.
    pub next_attempt_at: Option<i64>,
    /// When its cancellation was requested.
    pub cancel_requested_at: Option<i64>,
    /// The page on which the customer authenticates with the bank.
    pub action_url: Option<String>,
    /// The end of that page's validity.
    pub action_expires_at: Option<i64>,
    /// The gateway's object that is charged for it.
    pub object_id: Option<String>,
    /// Number of objects that were created for it before.
    pub object_number: i32,
    /// Money that was returned by refunds and late failures.
    pub returned_minor: i64,
    /// The part of that money that came back because refunds failed later.
    pub came_back_minor: i64,
    /// When a failed refund was last reported.
    pub came_back_at: Option<i64>,
    /// The state of the dispute.
    pub dispute: Option<String>,
    /// The disputed amount of money.
    pub disputed_minor: i64,
    pub created_at: i64,
    pub updated_at: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
