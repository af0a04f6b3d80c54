//! Members of teams, and their contacts.

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
        ddl::drop_tables(manager, &["contact", "member"]).await
    }
}

const STATEMENTS: &[&str] = &[
    "CREATE TABLE member (
        account_id BIGINT NOT NULL,
        id {uuid} NOT NULL,
        external_id TEXT,
        name TEXT NOT NULL,
        role TEXT NOT NULL,
        removed_at BIGINT,
        version INTEGER NOT NULL,
        created_at BIGINT NOT NULL,
        PRIMARY KEY (account_id, id)
    )",
    "CREATE UNIQUE INDEX member_external ON member (account_id, external_id) WHERE external_id IS NOT NULL",
    "CREATE INDEX member_created ON member (account_id, created_at, id)",
    "CREATE TABLE contact (
        account_id BIGINT NOT NULL,
        member_id {uuid} NOT NULL,
        email TEXT,
        email_status TEXT NOT NULL,
        bounce_message TEXT,
        locale TEXT NOT NULL,
        timezone TEXT NOT NULL,
        version INTEGER NOT NULL,
        PRIMARY KEY (account_id, member_id),
        FOREIGN KEY (account_id, member_id) REFERENCES member (account_id, id)
    )",
];
