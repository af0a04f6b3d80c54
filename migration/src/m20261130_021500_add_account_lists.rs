//! What the platform's list of accounts needs: the words of names and external ids, the number of findings of the last check, and an
//! index for each filter.
//!
//! The words of existing accounts are written by `adapters::database::migrate`, because SQL cannot fold letters.

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
        let indexes = [
            "DROP INDEX auto_top_up_paused",
            "DROP INDEX account_state_halted",
            "DROP INDEX account_state_available",
        ];
        ddl::run(manager, &indexes).await?;
        ddl::drop_tables(manager, &["account_finding", "account_word"]).await?;
        ddl::drop_columns(manager, "account", &["search_text"]).await
    }
}

const STATEMENTS: &[&str] = &[
    "ALTER TABLE account ADD COLUMN search_text TEXT",
    "CREATE TABLE account_word (
        account_id BIGINT NOT NULL,
        word TEXT {bytewise} NOT NULL,
        PRIMARY KEY (account_id, word)
    ) {clustered}",
    "CREATE INDEX account_word_word ON account_word (word, account_id)",
    "CREATE TABLE account_finding (
        account_id BIGINT NOT NULL,
        findings INTEGER NOT NULL,
        severity TEXT,
        checked_at BIGINT NOT NULL,
        {whole findings, checked_at}PRIMARY KEY (account_id)
    )",
    "CREATE INDEX account_finding_found ON account_finding (account_id) WHERE findings > 0",
    "CREATE INDEX account_finding_checked ON account_finding (checked_at, account_id)",
    "INSERT INTO account_finding (account_id, findings, checked_at) SELECT account_id, 0, 0 FROM account",
    "CREATE INDEX account_state_available ON account_state ((posted - held), account_id)",
    "CREATE INDEX account_state_halted ON account_state (account_id) WHERE status <> 'ACTIVE'",
    "CREATE INDEX auto_top_up_paused ON auto_top_up (account_id) WHERE is_enabled AND pause IS NOT NULL",
];
