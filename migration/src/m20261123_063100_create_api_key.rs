//! API keys, and when each was last used.

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
        ddl::drop_tables(manager, &["api_key_use", "api_key"]).await
    }
}

const STATEMENTS: &[&str] = &[
    "CREATE TABLE api_key (
        id {uuid} NOT NULL PRIMARY KEY,
        account_id BIGINT NOT NULL,
        prefix TEXT NOT NULL,
        secret_hash {bytes} NOT NULL,
        name TEXT NOT NULL,
        permissions BIGINT NOT NULL,
        created_at BIGINT NOT NULL,
        expires_at BIGINT,
        revoked_at BIGINT
    )",
    "CREATE UNIQUE INDEX api_key_prefix ON api_key (prefix)",
    "CREATE INDEX api_key_account ON api_key (account_id, created_at, id)",
    "CREATE TABLE api_key_use (
        account_id BIGINT NOT NULL,
        api_key_id {uuid} NOT NULL,
        last_used_at BIGINT NOT NULL,
        PRIMARY KEY (account_id, api_key_id)
    ) {clustered}",
];
