//! Mails to addresses that contacts no longer have.

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
        ddl::drop_tables(manager, &["address_notice"]).await
    }
}

const STATEMENTS: &[&str] = &[
    "CREATE TABLE address_notice (
        account_id BIGINT NOT NULL,
        id {uuid} NOT NULL,
        email TEXT NOT NULL,
        locale TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        attempts INTEGER NOT NULL,
        next_attempt_at BIGINT NOT NULL,
        PRIMARY KEY (account_id, id)
    )",
    "CREATE INDEX address_notice_due ON address_notice (next_attempt_at)",
];
