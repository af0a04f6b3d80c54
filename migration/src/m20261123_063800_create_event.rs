//! Numbered events, the source of every subscription.

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
        ddl::drop_tables(manager, &["event"]).await
    }
}

const STATEMENTS: &[&str] = &["CREATE TABLE event (
        account_id BIGINT NOT NULL,
        sequence BIGINT NOT NULL,
        nonce BIGINT NOT NULL,
        kind TEXT NOT NULL,
        occurred_at BIGINT NOT NULL,
        entry_id {uuid},
        session_id {uuid},
        top_up_id {uuid},
        member_id {uuid},
        status TEXT,
        balance_version BIGINT,
        PRIMARY KEY (account_id, sequence)
    ) {clustered}"];
