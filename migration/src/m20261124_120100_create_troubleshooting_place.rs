//! The last event of each account that was read for the diagnosis, and the fingerprint of its findings.

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
        ddl::drop_tables(manager, &["troubleshooting_place"]).await
    }
}

const STATEMENTS: &[&str] = &[
    "CREATE TABLE troubleshooting_place (
        account_id BIGINT NOT NULL,
        sequence BIGINT NOT NULL,
        fingerprint {bytes} NOT NULL,
        due_at BIGINT,
        PRIMARY KEY (account_id)
    )",
    "CREATE INDEX troubleshooting_due ON troubleshooting_place (due_at, account_id) WHERE due_at IS NOT NULL",
];
