//! Webhooks of the payment gateway, as received.

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
        ddl::drop_tables(manager, &["webhook_inbox"]).await
    }
}

const STATEMENTS: &[&str] = &[
    "CREATE TABLE webhook_inbox (
        gateway TEXT NOT NULL,
        event_id TEXT NOT NULL,
        kind TEXT NOT NULL,
        object_id TEXT,
        body {bytes} NOT NULL,
        status TEXT NOT NULL,
        tries INTEGER NOT NULL,
        last_error TEXT,
        received_at BIGINT NOT NULL,
        applied_at BIGINT,
        due_at BIGINT,
        PRIMARY KEY (gateway, event_id)
    )",
    "CREATE INDEX webhook_inbox_due ON webhook_inbox (due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX webhook_inbox_parked ON webhook_inbox (received_at) WHERE status = 'PARKED'",
];
