//! Which accounts are followed for findings, and since when such an account has events that were not checked. An index finds these
//! accounts.

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
        ddl::run(manager, &["DROP INDEX account_state_unchecked"]).await?;
        ddl::drop_columns(manager, "account_state", &["unchecked_since", "is_followed"]).await
    }
}

const STATEMENTS: &[&str] = &[
    "ALTER TABLE account_state ADD COLUMN is_followed BOOLEAN NOT NULL DEFAULT FALSE",
    "ALTER TABLE account_state ADD COLUMN unchecked_since BIGINT {integer unchecked_since}",
    "UPDATE account_state SET is_followed = TRUE, unchecked_since = last_at
        WHERE account_id IN (SELECT p.account_id FROM troubleshooting_place p)",
    "CREATE INDEX account_state_unchecked ON account_state (unchecked_since, account_id) WHERE unchecked_since IS NOT NULL",
];
