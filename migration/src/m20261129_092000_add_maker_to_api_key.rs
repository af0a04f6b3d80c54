//! Who created an API key, and events about keys. Of older keys the creator is not known.

use sea_orm_migration::prelude::*;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, DOWN).await?;
        let columns = [
            "is_announced",
            "keys_made",
            "maker_member_id",
            "maker_key_id",
            "maker_kind",
        ];
        ddl::drop_columns(manager, "api_key", &columns).await?;
        ddl::drop_columns(manager, "event", &["api_key_id"]).await
    }
}

const UP: &[&str] = &[
    "ALTER TABLE api_key ADD COLUMN maker_kind TEXT",
    "ALTER TABLE api_key ADD COLUMN maker_key_id {uuid}",
    "ALTER TABLE api_key ADD COLUMN maker_member_id {uuid}",
    "ALTER TABLE api_key ADD COLUMN keys_made BIGINT NOT NULL DEFAULT 0 {integer keys_made}",
    // Earlier revocations are not announced now.
    "ALTER TABLE api_key ADD COLUMN is_announced BOOLEAN NOT NULL DEFAULT TRUE",
    "UPDATE api_key SET is_announced = FALSE WHERE revoked_at IS NULL",
    "CREATE INDEX api_key_made_by_key ON api_key (maker_key_id) WHERE maker_key_id IS NOT NULL",
    "CREATE INDEX api_key_made_by_member ON api_key (account_id, maker_member_id) WHERE maker_member_id IS NOT NULL",
    "CREATE INDEX api_key_unannounced ON api_key (account_id) WHERE side = 'TEAM' AND revoked_at IS NOT NULL AND NOT is_announced",
    "ALTER TABLE event ADD COLUMN api_key_id {uuid}",
];

const DOWN: &[&str] = &[
    "DROP INDEX api_key_unannounced",
    "DROP INDEX api_key_made_by_member",
    "DROP INDEX api_key_made_by_key",
    // Streams have no gaps. Without a status, an event about the account says that something of it has changed.
    "UPDATE event SET kind = 'ACCOUNT_UPDATED', status = NULL WHERE kind = 'API_KEY_UPDATED'",
];
