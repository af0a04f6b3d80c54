//! One try at charging for a top-up.

use sea_orm::entity::prelude::*;

/// One try at charging for a top-up.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "top_up_attempt")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Of which top-up.
    pub top_up_id: Uuid,
    /// 1, 2, 3 …
    pub number: i32,
    /// What came of it.
    pub outcome: String,
    /// Why it failed.
    pub failure_code: Option<String>,
    /// The card.
    pub payment_method_id: Uuid,
    /// The card's fingerprint.
    pub fingerprint: String,
    /// The gateway's object that it charges.
    pub object_id: Option<String>,
    /// What the gateway told its failure apart by.
    pub failure_mark: Option<String>,
    /// Made by the account's rule.
    pub is_automatic: bool,
    /// The month whose cap it counts in.
    pub month: Option<String>,
    /// What it charges.
    pub price_minor: i64,
    /// What the gateway is to be asked next.
    pub step: String,
    /// When its charge was first sent off.
    pub confirm_sent_at: Option<i64>,
    /// Since when the gateway has not answered.
    pub unknown_since: Option<i64>,
    /// An operator was told.
    pub is_escalated: bool,
    /// How often the gateway was asked without getting further.
    pub tries: i32,
    /// When a worker goes on with it.
    pub due_at: Option<i64>,
    /// Who asked for it, by kind.
    pub actor_kind: String,
    /// The API key that asked.
    pub actor_key_id: Option<Uuid>,
    /// The member who asked, or on whose behalf the key acted.
    pub actor_member_id: Option<Uuid>,
    /// When it was asked for.
    pub created_at: i64,
    /// When it was over.
    pub finished_at: Option<i64>,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
