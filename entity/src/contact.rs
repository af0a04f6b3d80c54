//! How a member or a notification address is reached.

use sea_orm::entity::prelude::*;

/// How a member or a notification address is reached.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "contact")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// The member's or the notification address' id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub recipient_id: Uuid,
    /// The address.
    pub email: Option<String>,
    /// NONE, UNVERIFIED, VERIFIED or BOUNCING.
    pub email_status: String,
    /// Why mail does not arrive: a reason of a closed list.
    pub bounce_message: Option<String>,
    /// Language of mail, as a BCP 47 tag.
    pub locale: String,
    /// IANA name of the time zone of times in mail.
    pub timezone: String,
    /// Grows by one with every change.
    pub version: i32,
    /// Since when the address and its status are unchanged.
    pub status_since: Option<i64>,
    /// The kind of actor of the platform that vouched for the address.
    pub voucher_kind: Option<String>,
    /// The API key that vouched.
    pub voucher_key_id: Option<Uuid>,
    pub vouched_at: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
