//! Who vouched for a member's address.

use sea_orm_migration::prelude::*;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::drop_columns(manager, "contact", &["vouched_at", "voucher_key_id", "voucher_kind"]).await
    }
}

const UP: &[&str] = &[
    "ALTER TABLE contact ADD COLUMN voucher_kind TEXT",
    "ALTER TABLE contact ADD COLUMN voucher_key_id {uuid}",
    "ALTER TABLE contact ADD COLUMN vouched_at BIGINT {integer vouched_at}",
];
