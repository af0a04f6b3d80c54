//! What an account is called and what its credits cost.

use sea_orm::entity::prelude::*;

/// What an account is called and what its credits cost.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account")]
pub struct Model {
    /// Its number.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// The platform's own id.
    pub external_id: Option<String>,
    /// For people.
    pub name: String,
    /// IANA name of the zone that its days are counted in.
    pub timezone: String,
    /// ISO code of the currency it pays in.
    pub currency: String,
    /// Millionths of the currency's major unit for one credit.
    pub credit_price: i64,
    /// Grows by one with every change.
    pub version: i32,
    /// When it was made.
    pub created_at: i64,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
