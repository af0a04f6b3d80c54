//! The name of an account and the price of its credits.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// The platform's own id.
    pub external_id: Option<String>,
    pub name: String,
    /// IANA name of the time zone of the account's days.
    pub timezone: String,
    /// ISO 4217 code of the currency of prices and payments.
    pub currency: String,
    /// Millionths of the currency's major unit for one credit.
    pub credit_price: i64,
    /// Grows by one with every change.
    pub version: i32,
    pub created_at: i64,
    /// Name and external id in the form for searching. Null until it is computed after an upgrade.
    pub search_text: Option<String>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
