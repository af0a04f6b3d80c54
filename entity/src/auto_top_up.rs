//! The rule of an account that buys credits automatically.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "auto_top_up")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    pub is_enabled: bool,
    /// The rule buys when available credits are at or below this.
    pub trigger_credits: Option<i64>,
    /// Credits of one purchase.
    pub amount: Option<i64>,
    /// The most that is spent in a month.
    pub monthly_cap_minor: Option<i64>,
    /// The card that is charged.
    pub payment_method_id: Option<Uuid>,
    /// The trigger in the consent.
    pub consent_trigger: Option<i64>,
    /// The amount in the consent.
    pub consent_amount: Option<i64>,
    /// The monthly cap in the consent.
    pub consent_cap_minor: Option<i64>,
    /// The price of one amount in the consent.
    pub consent_price_minor: Option<i64>,
    /// The kind of actor that gave the consent.
    pub consent_actor_kind: Option<String>,
    /// The API key that gave the consent.
    pub consent_actor_key_id: Option<Uuid>,
    /// The member who gave the consent.
    pub consent_actor_member_id: Option<Uuid>,
    pub consented_at: Option<i64>,
    /// Why the rule is paused.
    pub pause: Option<String>,
    /// The fingerprint of the card that caused the pause.
    pub paused_fingerprint: Option<String>,
    /// Soft declines since the last success.
    pub soft_declines: i32,
    /// When a booking was last refused.
    pub refused_at: Option<i64>,
    /// When it is evaluated again.
    pub due_at: Option<i64>,
    /// Consecutive evaluations with the same negative result.
    pub repeated: i32,
    /// Grows by one with every change.
    pub version: i32,
    /// When it was first saved.
    pub created_at: i64,
    pub updated_at: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
