//! A report of the mail system about a mail.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mail_report")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// The mail system's id of the report.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// Who the mail was for.
    pub recipient_id: Uuid,
    /// What the mail delivered; a code when there is none.
    pub delivery_id: Option<Uuid>,
    /// The type of report.
    pub kind: String,
    /// The address that the mail was sent to.
    pub address: String,
    /// The mail system's own text.
    pub reason: Option<String>,
    pub received_at: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
