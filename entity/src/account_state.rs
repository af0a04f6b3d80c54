//! An account's figures: the one row that every change of the account locks first.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account_state")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// ACTIVE, FROZEN or CLOSED.
    pub status: String,
    /// Since when the account is frozen or closed.
    pub halted_at: Option<i64>,
    /// Human-readable reason why the account is frozen or closed.
    pub halt_reason: Option<String>,
    /// Sum of all entries.
    pub posted: i64,
    /// Sum of all entries that added credits. It wraps around.
    pub added: i64,
    /// Reserved for open sessions, disputed top-ups and refunds of top-ups in progress.
    pub held: i64,
    /// Credits in top-ups that are being charged.
    pub incoming: i64,
    /// Credits that were used beyond what the account had.
    pub debt: i64,
    /// Grows with every change of the balance.
    pub balance_version: i64,
    /// When the balance last changed.
    pub balance_at: i64,
    /// Number of the last entry.
    pub entry_sequence: i64,
    /// Number of the last event.
    pub event_sequence: i64,
    /// Nonce of the last event.
    pub event_nonce: i64,
    /// Hash of the last entry, or the account's genesis.
    pub last_hash: Vec<u8>,
    /// The latest time of a decision.
    pub last_at: i64,
    /// Lots with a remainder.
    pub lot_count: i64,
    /// How long after its end an unresolved session keeps its hold.
    pub session_grace_millis: i64,
    /// No lot expires before this.
    pub next_lot_expiry_at: Option<i64>,
    /// No hold expires before this.
    pub next_hold_expiry_at: Option<i64>,
    /// No session becomes PROCESSING before this.
    pub next_processing_at: Option<i64>,
    /// When the sweeper is needed.
    pub due_at: Option<i64>,
    /// The watched level of available credits.
    pub low_mark: Option<i64>,
    /// Since when available credits are at or below that level and no worker has checked.
    pub low_since: Option<i64>,
    /// Since when the account has events that were not read for alerts.
    pub unread_since: Option<i64>,
    /// Whether its events are checked for what is wrong.
    pub is_followed: bool,
    /// Since when it has events that were not checked.
    pub unchecked_since: Option<i64>,
    /// Number of the last event that was deleted because it was old.
    pub events_deleted: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
