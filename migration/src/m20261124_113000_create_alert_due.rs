//! When accounts are checked again for alerts even without new events, and which alerts about no entry, session or top-up are
//! open.

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
        ddl::run(manager, &["DROP INDEX alert_standing"]).await?;
        ddl::drop_tables(manager, &["alert_due"]).await
    }
}

const STATEMENTS: &[&str] = &[
    "CREATE TABLE alert_due (
        account_id BIGINT NOT NULL,
        held_until BIGINT,
        remind_at BIGINT,
        due_at BIGINT NOT NULL,
        {whole held_until, remind_at, due_at}PRIMARY KEY (account_id)
    )",
    "CREATE INDEX alert_due_at ON alert_due (due_at, account_id)",
    "CREATE INDEX alert_standing ON alert (account_id, kind)
        WHERE resolved_at IS NULL AND entry_id IS NULL AND session_id IS NULL AND top_up_id IS NULL",
    // Existing credits and cards get reminders, too.
    "INSERT INTO alert_due (account_id, remind_at, due_at)
        SELECT s.account_id, 0, 0 FROM account_state s WHERE s.next_lot_expiry_at IS NOT NULL
        OR EXISTS (SELECT 1 FROM payment_method p WHERE p.account_id = s.account_id)",
];
