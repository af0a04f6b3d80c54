//! The watched level of available credits, and since when it is reached.

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
        ddl::run(manager, &["DROP INDEX account_state_low"]).await?;
        ddl::drop_columns(manager, "account_state", &["low_since", "low_mark"]).await
    }
}

const STATEMENTS: &[&str] = &[
    "ALTER TABLE account_state ADD COLUMN low_mark BIGINT {integer low_mark}",
    "ALTER TABLE account_state ADD COLUMN low_since BIGINT",
    "CREATE INDEX account_state_low ON account_state (low_since, account_id) WHERE low_since IS NOT NULL",
];
