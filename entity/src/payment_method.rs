//! A card that the gateway keeps for an account.

use sea_orm::entity::prelude::*;

/// A card that the gateway keeps for an account.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payment_method")]
pub struct Model {
    /// Whose card it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// What the gateway calls it.
    pub gateway_card_id: String,
    /// Its brand.
    pub brand: String,
    /// Its last four digits.
    pub last4: String,
    /// 1 to 12.
    pub expiry_month: i32,
    /// Four digits.
    pub expiry_year: i32,
    /// The same for the same card however often it is added.
    pub fingerprint: String,
    /// Why it is not charged by itself any more.
    pub suspension: Option<String>,
    /// Charged where no other is named.
    pub is_default: bool,
    /// When it was added.
    pub added_at: i64,
    /// When the bank last said no.
    pub last_declined_at: Option<i64>,
    /// When it was taken away.
    pub removed_at: Option<i64>,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
