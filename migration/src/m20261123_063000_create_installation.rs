//! Tables that belong to no account: the installation's epoch and next account number, and the platform's ids of
//! accounts.

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
        ddl::drop_tables(manager, &["account_directory", "installation"]).await
    }
}

const STATEMENTS: &[&str] = &[
    "CREATE TABLE installation (
        id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
        epoch {uuid} NOT NULL,
        next_account_id BIGINT NOT NULL,
        created_at BIGINT NOT NULL
    )",
    "CREATE TABLE account_directory (
        external_id TEXT NOT NULL PRIMARY KEY,
        account_id BIGINT NOT NULL
    ) {clustered}",
];
