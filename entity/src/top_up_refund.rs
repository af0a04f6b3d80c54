//! A refund of a top-up's money.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "top_up_refund")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub top_up_id: Uuid,
    /// Credits that the refund takes.
    pub credits: i64,
    /// Money that is refunded, in the currency's minor unit.
    pub amount_minor: i64,
    /// Human-readable reason.
    pub reason: String,
    pub status: String,
    /// Number of requests to the gateway.
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
    /// Whether it takes exactly its credits. Older refunds took a share by the money.
    pub is_exact: bool,
    /// The entry that took its credits.
    pub entry_id: Option<Uuid>,
    /// The entry that added the credits again, because the money came back.
    pub came_back_entry_id: Option<Uuid>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
