//! Keys that commands were bound to, and the result of each.

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
        ddl::drop_tables(manager, &["idempotency_key"]).await
    }
}

const STATEMENTS: &[&str] = &["CREATE TABLE idempotency_key (
        account_id BIGINT NOT NULL,
        origin TEXT NOT NULL,
        key TEXT NOT NULL,
        digest {bytes} NOT NULL,
        operation TEXT NOT NULL,
        session_id {uuid},
        entry_id {uuid},
        created_at BIGINT NOT NULL,
        PRIMARY KEY (account_id, origin, key)
    ) {clustered}"];
