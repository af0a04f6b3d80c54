//! A booked use of credits.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "session")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The platform's own id.
    pub external_id: Option<String>,
    /// The member who uses it.
    pub member_id: Uuid,
    /// Human-readable title.
    pub title: String,
    /// The stored status. PROCESSING is BOOKED after the end.
    pub status: String,
    pub starts_at: i64,
    pub ends_at: i64,
    /// All credits that were booked.
    pub booked: i64,
    /// Credits that are held now.
    pub held: i64,
    /// Credits that were deducted at the end.
    pub charged: Option<i64>,
    /// The entry that deducted it.
    pub charge_entry_id: Option<Uuid>,
    /// Credits that were returned of the charge.
    pub refunded: i64,
    pub booked_at: i64,
    /// The time when it was completed, canceled or expired.
    pub resolved_at: Option<i64>,
    /// When the hold is released if the session is not resolved before.
    pub hold_expires_at: i64,
    /// Human-readable reason of the cancellation.
    pub cancel_reason: Option<String>,
    /// The caller's own JSON.
    pub metadata: Option<String>,
    /// The normalized text that searches scan.
    pub search_text: String,
    /// Whether the event that it is PROCESSING was written.
    pub processing_announced: bool,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
