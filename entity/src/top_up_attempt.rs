//! One attempt to charge for a top-up.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "top_up_attempt")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub top_up_id: Uuid,
    /// Position among the top-up's attempts: 1, 2, 3 …
    pub number: i32,
    pub outcome: String,
    /// Why it failed.
    pub failure_code: Option<String>,
    pub payment_method_id: Uuid,
    /// The fingerprint of the card.
    pub fingerprint: String,
    /// The gateway's object that it charges.
    pub object_id: Option<String>,
    /// The gateway's mark by which this failure is distinguished from others.
    pub failure_mark: Option<String>,
    /// Whether the account's rule made it.
    pub is_automatic: bool,
    /// The month whose cap it counts toward.
    pub month: Option<String>,
    /// The charged amount in the currency's minor unit.
    pub price_minor: i64,
    /// The next request to the gateway.
    pub step: String,
    /// When the charge was first sent.
    pub confirm_sent_at: Option<i64>,
    /// Since when the gateway has not answered.
    pub unknown_since: Option<i64>,
    /// Whether an operator was notified.
    pub is_escalated: bool,
    /// Consecutive requests to the gateway without progress.
    pub tries: i32,
    /// When a worker continues with it.
    pub due_at: Option<i64>,
    /// The kind of actor that requested it.
    pub actor_kind: String,
    /// The API key that requested it.
    pub actor_key_id: Option<Uuid>,
    /// The member who requested it, or on whose behalf the key acted.
    pub actor_member_id: Option<Uuid>,
    pub created_at: i64,
    pub finished_at: Option<i64>,
    /// The span that requested it, as `traceparent` of W3C Trace Context names it; only while traces are exported.
    pub trace_context: Option<String>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
