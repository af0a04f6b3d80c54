//! What a mail system has told of a mail.

use sea_orm::entity::prelude::*;

/// What a mail system has told of a mail.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mail_report")]
pub struct Model {
    /// The team's account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// The mail system's id of the report.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// Who the mail was for.
    pub recipient_id: Uuid,
    /// What the mail delivered; a code when there is none.
    pub delivery_id: Option<Uuid>,
    /// What it says.
    pub kind: String,
    /// Where the mail went.
    pub address: String,
    /// The mail system's words.
    pub reason: Option<String>,
    /// When it came.
    pub received_at: i64,
}

/// None: rows of other tables are found by explicit statements.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
