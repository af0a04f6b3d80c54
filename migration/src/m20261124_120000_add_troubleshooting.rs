//! Columns and indexes of the diagnosis: since when contacts are unchanged, and indexes of failures.

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
        let indexes = [
            "DROP INDEX delivery_unsent",
            "DROP INDEX top_up_failed",
            "DROP INDEX top_up_unfinished",
        ];
        ddl::run(manager, &indexes).await?;
        ddl::drop_columns(manager, "notification_settings", &["changed_at"]).await?;
        ddl::drop_columns(manager, "contact", &["status_since"]).await
    }
}

const STATEMENTS: &[&str] = &[
    // NULL where nothing has changed since the member was added, or since before this column existed.
    "ALTER TABLE contact ADD COLUMN status_since BIGINT",
    "ALTER TABLE notification_settings ADD COLUMN changed_at BIGINT",
    "CREATE INDEX top_up_unfinished ON top_up (account_id, created_at) WHERE status IN ('PENDING', 'PROCESSING', 'REQUIRES_ACTION')",
    "CREATE INDEX top_up_failed ON top_up (account_id, created_at) WHERE status = 'FAILED'",
    "CREATE INDEX delivery_unsent ON delivery (account_id, created_at)
        WHERE channel = 'EMAIL' AND status IN ('QUEUED', 'SENDING', 'FAILED')",
];
