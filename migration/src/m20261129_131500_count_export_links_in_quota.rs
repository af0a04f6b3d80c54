//! A count contains the time when it starts over, so that it can be deleted then. The uses of links to exports are
//! counted there.

use sea_orm_migration::prelude::*;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "ALTER TABLE quota RENAME COLUMN started_at TO ends_at",
                "UPDATE quota SET ends_at = ends_at
                    + CASE WHEN scope IN ('TEST_ACCOUNT_HOUR', 'TEST_MEMBER_HOUR') THEN 3600000 ELSE 86400000 END",
                "CREATE INDEX quota_end ON quota (ends_at)",
            ],
        )
        .await?;
        // A link is valid for minutes: existing links may be used as often again.
        ddl::drop_tables(manager, &["export_use"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(
            manager,
            &[
                "CREATE TABLE export_use (
        account_id BIGINT NOT NULL,
        link_id {uuid} NOT NULL,
        uses INTEGER NOT NULL,
        expires_at BIGINT NOT NULL,
        {whole uses, expires_at}PRIMARY KEY (account_id, link_id)
    )",
                "DELETE FROM quota WHERE scope = 'EXPORT_LINK'",
                "DROP INDEX quota_end",
                "UPDATE quota SET ends_at = ends_at
                    - CASE WHEN scope IN ('TEST_ACCOUNT_HOUR', 'TEST_MEMBER_HOUR') THEN 3600000 ELSE 86400000 END",
                "ALTER TABLE quota RENAME COLUMN ends_at TO started_at",
            ],
        )
        .await
    }
}
