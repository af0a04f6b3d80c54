//! Four additions: how often an action was done within a time; since when a mail is tried; the level that a balance fell to;
//! sessions that may still be resolved.

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
        ddl::run(manager, &["DROP INDEX alert_unresolved_session"]).await?;
        ddl::drop_columns(manager, "alert_edge", &["level"]).await?;
        ddl::drop_columns(manager, "delivery", &["queued_at"]).await?;
        ddl::drop_tables(manager, &["quota"]).await
    }
}

const STATEMENTS: &[&str] = &[
    // Global: an address counts across all accounts.
    "CREATE TABLE quota (
        scope TEXT NOT NULL,
        subject {bytes} NOT NULL,
        started_at BIGINT NOT NULL,
        used BIGINT NOT NULL,
        {whole started_at, used}PRIMARY KEY (scope, subject)
    )",
    "ALTER TABLE delivery ADD COLUMN queued_at BIGINT {integer queued_at}",
    "ALTER TABLE alert_edge ADD COLUMN level BIGINT {integer level}",
    "CREATE INDEX alert_unresolved_session ON alert (account_id, session_id)
        WHERE kind = 'SESSION_UNRESOLVED' AND resolved_at IS NULL",
];
