//! The notification defaults of an account's members, for preferences that a member has not set.

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
        ddl::drop_tables(manager, &["notification_defaults"]).await
    }
}

const STATEMENTS: &[&str] = &["CREATE TABLE notification_defaults (
        account_id BIGINT NOT NULL,
        preferences TEXT NOT NULL,
        version INTEGER NOT NULL,
        PRIMARY KEY (account_id)
    )"];
