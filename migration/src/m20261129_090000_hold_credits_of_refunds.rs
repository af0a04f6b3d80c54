//! Credits are held while their money is being refunded, and a refund records the entries that took its credits.
//!
//! Refunds from before took a share of the credits by the money that was returned; `is_exact` distinguishes them.

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
        let columns = ["is_exact", "entry_id", "came_back_entry_id"];
        ddl::drop_columns(manager, "top_up_refund", &columns).await?;
        ddl::drop_columns(manager, "top_up_hold", &["refunding"]).await?;
        ddl::run(manager, &["ALTER TABLE top_up_hold RENAME TO dispute_hold"]).await
    }
}

const STATEMENTS: &[&str] = &[
    "ALTER TABLE dispute_hold RENAME TO top_up_hold",
    "ALTER TABLE top_up_hold ADD COLUMN refunding BIGINT NOT NULL DEFAULT 0 {integer refunding}",
    "ALTER TABLE top_up_refund ADD COLUMN is_exact BOOLEAN NOT NULL DEFAULT FALSE",
    "ALTER TABLE top_up_refund ADD COLUMN entry_id {uuid}",
    "ALTER TABLE top_up_refund ADD COLUMN came_back_entry_id {uuid}",
];
