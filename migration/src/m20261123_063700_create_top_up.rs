//! Purchases of credits.

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
        ddl::drop_tables(manager, &["top_up"]).await
    }
}

const STATEMENTS: &[&str] = &[
    "CREATE TABLE top_up (
        account_id BIGINT NOT NULL,
        id {uuid} NOT NULL,
        status TEXT NOT NULL,
        origin TEXT NOT NULL,
        credits BIGINT NOT NULL CHECK (credits > 0),
        price_minor BIGINT NOT NULL,
        currency TEXT NOT NULL,
        actor_kind TEXT NOT NULL,
        actor_key_id {uuid},
        actor_member_id {uuid},
        entry_id {uuid},
        credits_reversed BIGINT NOT NULL CHECK (credits_reversed >= 0),
        created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL,
        {whole credits, price_minor, credits_reversed}PRIMARY KEY (account_id, id)
    )",
    "CREATE INDEX top_up_created ON top_up (account_id, created_at, id)",
];
