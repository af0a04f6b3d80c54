//! The rule by which an account tops itself up.

use sea_orm::entity::prelude::*;

/// The rule by which an account tops itself up.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "auto_top_up")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// Switched on.
    pub is_enabled: bool,
    /// Tops up at or below this.
    pub trigger_credits: Option<i64>,
    /// Buys this much at a time.
    pub amount: Option<i64>,
    /// Most money a month.
    pub monthly_cap_minor: Option<i64>,
    /// The card.
    pub payment_method_id: Option<Uuid>,
    /// What a person agreed to: the level.
    pub consent_trigger: Option<i64>,
    /// The amount.
    pub consent_amount: Option<i64>,
    /// The cap.
    pub consent_cap_minor: Option<i64>,
    /// The price of one amount.
    pub consent_price_minor: Option<i64>,
    /// Who agreed, by kind.
    pub consent_actor_kind: Option<String>,
    /// The API key that agreed.
    pub consent_actor_key_id: Option<Uuid>,
    /// The member who agreed.
    pub consent_actor_member_id: Option<Uuid>,
    /// When.
    pub consented_at: Option<i64>,
    /// Why it does not work.
    pub pause: Option<String>,
    /// The card that brought the pause about.
    pub paused_fingerprint: Option<String>,
    /// Soft declines since the last success.
    pub soft_declines: i32,
    /// When a booking was last refused.
    pub refused_at: Option<i64>,
    /// When it is looked at again.
    pub due_at: Option<i64>,
    /// Evaluations in a row that came to the same no.
    pub repeated: i32,
    /// Grows with every change.
    pub version: i32,
    /// When it was first set.
    pub created_at: i64,
    /// When it last changed.
    pub updated_at: i64,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
