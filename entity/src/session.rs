//! A booked use of credits.

use sea_orm::entity::prelude::*;

/// A booked use of credits.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "session")]
pub struct Model {
    /// Whose session it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The platform's own id.
    pub external_id: Option<String>,
    /// Who uses it.
    pub member_id: Uuid,
    /// For people.
    pub title: String,
    /// As stored: PROCESSING is BOOKED after the end.
    pub status: String,
    /// When it begins.
    pub starts_at: i64,
    /// When it ends.
    pub ends_at: i64,
    /// What was booked in all.
    pub booked: i64,
    /// What is held now.
    pub held: i64,
    /// What was deducted in the end.
    pub charged: Option<i64>,
    /// The entry that deducted it.
    pub charge_entry_id: Option<Uuid>,
    /// What was given back of it.
    pub refunded: i64,
    /// When it was booked.
    pub booked_at: i64,
    /// When it was resolved.
    pub resolved_at: Option<i64>,
    /// When its hold is released if nobody resolves it.
    pub hold_expires_at: i64,
    /// Why it was called off.
    pub cancel_reason: Option<String>,
    /// The caller's own JSON.
    pub metadata: Option<String>,
    /// What searching looks through.
    pub search_text: String,
    /// Whether the event that says it is PROCESSING was written.
    pub processing_announced: bool,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
