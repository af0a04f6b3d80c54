//! Since when an account has events that were not read for alerts, so that an index finds these accounts.

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
        ddl::run(manager, &["DROP INDEX account_state_unread"]).await?;
        ddl::drop_columns(manager, "account_state", &["unread_since"]).await
    }
}

const STATEMENTS: &[&str] = &[
    "ALTER TABLE account_state ADD COLUMN unread_since BIGINT {integer unread_since}",
    "UPDATE account_state SET unread_since = last_at WHERE event_sequence > COALESCE(
        (SELECT p.sequence FROM alert_place p WHERE p.account_id = account_state.account_id), 0)",
    "CREATE INDEX account_state_unread ON account_state (unread_since, account_id) WHERE unread_since IS NOT NULL",
];
