//! Credits that came in together, and what each entry moved into and out of them.

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
        ddl::drop_tables(manager, &["lot_movement", "credit_lot"]).await
    }
}

const STATEMENTS: &[&str] = &[
    "CREATE TABLE credit_lot (
        account_id BIGINT NOT NULL,
        id {uuid} NOT NULL,
        kind TEXT NOT NULL,
        granted BIGINT NOT NULL CHECK (granted > 0),
        remaining BIGINT NOT NULL CHECK (remaining >= 0),
        priority INTEGER NOT NULL,
        expires_at BIGINT,
        created_at BIGINT NOT NULL,
        entry_id {uuid} NOT NULL,
        {whole granted, remaining}PRIMARY KEY (account_id, id)
    )",
    "CREATE INDEX credit_lot_spending ON credit_lot (account_id, priority, expires_at, created_at, id) WHERE remaining > 0",
    "CREATE INDEX credit_lot_created ON credit_lot (account_id, created_at, id)",
    "CREATE INDEX credit_lot_expiry ON credit_lot (account_id, expires_at) WHERE remaining > 0 AND expires_at IS NOT NULL",
    "CREATE TABLE lot_movement (
        account_id BIGINT NOT NULL,
        entry_id {uuid} NOT NULL,
        ordinal INTEGER NOT NULL,
        lot_id {uuid},
        amount BIGINT NOT NULL CHECK (amount <> 0),
        returned BIGINT NOT NULL CHECK (returned >= 0),
        {whole amount, returned}PRIMARY KEY (account_id, entry_id, ordinal)
    ) {clustered}",
    "CREATE INDEX lot_movement_lot ON lot_movement (account_id, lot_id)",
];
