//! Money of a top-up that is to be given back.

use sea_orm::entity::prelude::*;

/// Money of a top-up that is to be given back.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "top_up_refund")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Of which top-up.
    pub top_up_id: Uuid,
    /// Credits that go with it.
    pub credits: i64,
    /// How much money.
    pub amount_minor: i64,
    /// For people.
    pub reason: String,
    /// How far it is.
    pub status: String,
    /// How often the gateway was asked.
    pub tries: i32,
    /// When a worker goes on with it.
    pub due_at: Option<i64>,
    /// Who asked for it, by kind.
    pub actor_kind: String,
    /// The API key that asked.
    pub actor_key_id: Option<Uuid>,
    /// The member who asked, or on whose behalf the key acted.
    pub actor_member_id: Option<Uuid>,
    /// When it was asked for.
    pub created_at: i64,
    /// Takes exactly its credits; older ones took a share by the money.
    pub is_exact: bool,
    /// The entry that took its credits.
    pub entry_id: Option<Uuid>,
    /// The entry that added them again, because its money came back.
    pub came_back_entry_id: Option<Uuid>,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
