//! When a failed refund of a top-up was last reported, and which refunds have failed, so that an operator can check
//! them.

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
        ddl::run(
            manager,
            &["DROP INDEX top_up_refund_failed", "DROP INDEX top_up_came_back"],
        )
        .await?;
        ddl::drop_columns(manager, "top_up", &["came_back_at"]).await
    }
}

const STATEMENTS: &[&str] = &[
    "ALTER TABLE top_up ADD COLUMN came_back_at BIGINT {integer came_back_at}",
    "UPDATE top_up SET came_back_at = updated_at WHERE came_back_minor > 0",
    "CREATE INDEX top_up_came_back ON top_up (came_back_at, account_id) WHERE came_back_at IS NOT NULL",
    "CREATE INDEX top_up_refund_failed ON top_up_refund (created_at, account_id) WHERE status = 'FAILED'",
];
