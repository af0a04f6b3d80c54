//! The state of a top-up while it is charged and after, and the key with which it was requested.

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
        ddl::run(manager, &["DROP INDEX top_up_due", "DROP INDEX top_up_open_automatic"]).await?;
        ddl::drop_columns(manager, "idempotency_key", &["top_up_id"]).await?;
        ddl::drop_columns(manager, "top_up", COLUMNS).await
    }
}

const STATEMENTS: &[&str] = &[
    "ALTER TABLE top_up ADD COLUMN failure_code TEXT",
    "ALTER TABLE top_up ADD COLUMN next_attempt_at BIGINT",
    "ALTER TABLE top_up ADD COLUMN cancel_requested_at BIGINT",
    "ALTER TABLE top_up ADD COLUMN action_url TEXT",
    "ALTER TABLE top_up ADD COLUMN action_expires_at BIGINT",
    "ALTER TABLE top_up ADD COLUMN object_id TEXT",
    "ALTER TABLE top_up ADD COLUMN object_number INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE top_up ADD COLUMN returned_minor BIGINT NOT NULL DEFAULT 0 {integer returned_minor}",
    "ALTER TABLE top_up ADD COLUMN dispute TEXT",
    "ALTER TABLE top_up ADD COLUMN disputed_minor BIGINT NOT NULL DEFAULT 0 {integer disputed_minor}",
    "ALTER TABLE idempotency_key ADD COLUMN top_up_id {uuid}",
    "CREATE UNIQUE INDEX top_up_open_automatic ON top_up (account_id) WHERE origin = 'AUTO' AND (
        status IN ('PENDING', 'PROCESSING', 'REQUIRES_ACTION') OR (status = 'FAILED' AND next_attempt_at IS NOT NULL))",
    "CREATE INDEX top_up_due ON top_up (next_attempt_at, account_id) WHERE next_attempt_at IS NOT NULL",
];

const COLUMNS: &[&str] = &[
    "failure_code",
    "next_attempt_at",
    "cancel_requested_at",
    "action_url",
    "action_expires_at",
    "object_id",
    "object_number",
    "returned_minor",
    "dispute",
    "disputed_minor",
];
