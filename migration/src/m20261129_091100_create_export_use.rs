//! How often links to exports were used.

use sea_orm_migration::prelude::*;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, STATEMENTS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::drop_tables(manager, &["export_use"]).await
    }
}

const STATEMENTS: &[&str] = &["CREATE TABLE export_use (
        account_id BIGINT NOT NULL,
        link_id {uuid} NOT NULL,
        uses INTEGER NOT NULL,
        expires_at BIGINT NOT NULL,
        {whole uses, expires_at}PRIMARY KEY (account_id, link_id)
    )"];
