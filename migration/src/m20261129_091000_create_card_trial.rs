//! Cards that were tried in an account, kept or not, so that their number can be bounded.

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
        ddl::drop_tables(manager, &["card_trial"]).await
    }
}

const STATEMENTS: &[&str] = &["CREATE TABLE card_trial (
        account_id BIGINT NOT NULL,
        kind TEXT NOT NULL,
        subject TEXT NOT NULL,
        actor_id {uuid} NOT NULL,
        tried_at BIGINT NOT NULL,
        {whole tried_at}PRIMARY KEY (account_id, kind, subject)
    )"];
