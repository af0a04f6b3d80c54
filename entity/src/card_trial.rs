//! A card that was tried in an account, or a form for one that was begun.

use sea_orm::entity::prelude::*;

/// A card that was tried in an account, or a form for one that was begun.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "card_trial")]
pub struct Model {
    /// The account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// Which of the two.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: String,
    /// The gateway's name for the card; a random one for a form.
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: String,
    /// The member or the API key that tried it.
    pub actor_id: Uuid,
    /// When it was tried first, within the time that counts.
    pub tried_at: i64,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
