//! A card that the payment gateway stores for an account.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payment_method")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The gateway's id of the card.
    pub gateway_card_id: String,
    pub brand: String,
    pub last4: String,
    /// From 1 to 12.
    pub expiry_month: i32,
    /// Four digits.
    pub expiry_year: i32,
    /// The same for the same card however often it is added.
    pub fingerprint: String,
    /// Why it is not charged automatically.
    pub suspension: Option<String>,
    /// It is charged where no other card is named.
    pub is_default: bool,
    pub added_at: i64,
    /// When the bank last declined a charge.
    pub last_declined_at: Option<i64>,
    pub removed_at: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
