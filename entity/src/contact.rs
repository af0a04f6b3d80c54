//! How a member or a notification address is reached.

use sea_orm::entity::prelude::*;

/// How a member or a notification address is reached.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "contact")]
pub struct Model {
    /// The team's account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// The member's or the notification address' id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub recipient_id: Uuid,
    /// The address.
    pub email: Option<String>,
    /// Whether mail arrives there.
    pub email_status: String,
    /// Why mail does not arrive: a reason of a closed list.
    pub bounce_message: Option<String>,
    /// Language of what is sent.
    pub locale: String,
    /// IANA name of the zone for times in what is sent.
    pub timezone: String,
    /// Grows by one with every change.
    pub version: i32,
    /// Since when the address is this one and stands so.
    pub status_since: Option<i64>,
    /// What kind of caller of the platform vouched for the address, if one did.
    pub voucher_kind: Option<String>,
    /// By which API key.
    pub voucher_key_id: Option<Uuid>,
    /// When.
    pub vouched_at: Option<i64>,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
