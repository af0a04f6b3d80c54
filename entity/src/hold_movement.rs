//! A change of what a session or a dispute holds. Rows never change.

use sea_orm::entity::prelude::*;

/// A change of what a session or a dispute holds. Rows never change.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "hold_movement")]
pub struct Model {
    /// Whose hold it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// The session that holds, or the disputed top-up.
    #[sea_orm(primary_key, auto_increment = false)]
    pub holder_id: Uuid,
    /// The number of the event that tells of it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub sequence: i64,
    /// What kind of holder.
    pub holder: String,
    /// When.
    pub occurred_at: i64,
    /// How much more is held, or less.
    pub amount: i64,
    /// What the holder holds after it.
    pub held: i64,
    /// What the account holds after it.
    pub held_after: i64,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
