//! The version of the form of search text. Older text is rewritten after the schema is upgraded.

use sea_orm_migration::prelude::*;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = "ALTER TABLE installation ADD COLUMN search_form INTEGER NOT NULL DEFAULT 1 {integer search_form}";
        ddl::run(manager, &[column]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::drop_columns(manager, "installation", &["search_form"]).await
    }
}
