//! Refunds of money, and credits held while a top-up is disputed.

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
        ddl::drop_tables(manager, &["dispute_hold", "top_up_refund"]).await
    }
}

const STATEMENTS: &[&str] = &[
    "CREATE TABLE top_up_refund (
        account_id BIGINT NOT NULL,
        id {uuid} NOT NULL,
        top_up_id {uuid} NOT NULL,
        credits BIGINT NOT NULL CHECK (credits > 0),
        amount_minor BIGINT NOT NULL,
        reason TEXT NOT NULL,
        status TEXT NOT NULL,
        tries INTEGER NOT NULL,
        due_at BIGINT,
        actor_kind TEXT NOT NULL,
        actor_key_id {uuid},
        actor_member_id {uuid},
        created_at BIGINT NOT NULL,
        {whole credits, amount_minor}PRIMARY KEY (account_id, id)
    )",
    "CREATE INDEX top_up_refund_of ON top_up_refund (account_id, top_up_id)",
    "CREATE INDEX top_up_refund_due ON top_up_refund (due_at, account_id, id) WHERE due_at IS NOT NULL",
    "CREATE TABLE dispute_hold (
        account_id BIGINT NOT NULL,
        top_up_id {uuid} NOT NULL,
        amount BIGINT NOT NULL CHECK (amount > 0),
        {whole amount}PRIMARY KEY (account_id, top_up_id)
    )",
];
