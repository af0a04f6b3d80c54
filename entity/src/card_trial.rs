//! A card that was tried in an account, or a form for one that was begun.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "card_trial")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// Whether it is a card or a form.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: String,
    /// The gateway's id of the card; a random one for a form.
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: String,
    /// The member or the API key that tried the card.
    pub actor_id: Uuid,
    /// The first trial within the counted time.
    pub tried_at: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
