//! Notification settings of members, and codes that were sent to addresses.

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
        ddl::drop_tables(manager, &["contact_verification", "notification_settings"]).await
    }
}

const STATEMENTS: &[&str] = &[
    "CREATE TABLE notification_settings (
        account_id BIGINT NOT NULL,
        member_id {uuid} NOT NULL,
        preferences TEXT NOT NULL,
        low_balance_threshold BIGINT,
        quiet_start INTEGER,
        quiet_end INTEGER,
        version INTEGER NOT NULL,
        {whole low_balance_threshold, quiet_start, quiet_end}PRIMARY KEY (account_id, member_id),
        FOREIGN KEY (account_id, member_id) REFERENCES member (account_id, id)
    )",
    "CREATE TABLE contact_verification (
        account_id BIGINT NOT NULL,
        member_id {uuid} NOT NULL,
        email TEXT NOT NULL,
        code_hash {bytes} NOT NULL,
        tries_left INTEGER NOT NULL,
        made_at BIGINT NOT NULL,
        PRIMARY KEY (account_id, member_id),
        FOREIGN KEY (account_id, member_id) REFERENCES member (account_id, id)
    )",
];
