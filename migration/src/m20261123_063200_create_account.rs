//! Accounts: their names and prices, and the one row of each that every change locks.

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
        ddl::drop_tables(manager, &["account_state", "account"]).await
    }
}

const STATEMENTS: &[&str] = &[
    "CREATE TABLE account (
        account_id BIGINT NOT NULL PRIMARY KEY,
        external_id TEXT,
        name TEXT NOT NULL,
        timezone TEXT NOT NULL,
        currency TEXT NOT NULL,
        credit_price BIGINT NOT NULL,
        version INTEGER NOT NULL,
        created_at BIGINT NOT NULL,
        {whole credit_price}CHECK (credit_price >= 0)
    )",
    "CREATE INDEX account_created ON account (created_at, account_id)",
    "CREATE TABLE account_state (
        account_id BIGINT NOT NULL PRIMARY KEY,
        status TEXT NOT NULL,
        halted_at BIGINT,
        halt_reason TEXT,
        posted BIGINT NOT NULL,
        held BIGINT NOT NULL CHECK (held >= 0),
        incoming BIGINT NOT NULL CHECK (incoming >= 0),
        debt BIGINT NOT NULL CHECK (debt >= 0),
        balance_version BIGINT NOT NULL,
        balance_at BIGINT NOT NULL,
        entry_sequence BIGINT NOT NULL,
        event_sequence BIGINT NOT NULL,
        event_nonce BIGINT NOT NULL,
        last_hash {bytes} NOT NULL,
        last_at BIGINT NOT NULL,
        lot_count BIGINT NOT NULL,
        session_grace_millis BIGINT NOT NULL,
        next_lot_expiry_at BIGINT,
        next_hold_expiry_at BIGINT,
        next_processing_at BIGINT,
        due_at BIGINT,
        {whole posted, held, incoming, debt}CHECK (lot_count >= 0)
    )",
    "CREATE INDEX account_state_due ON account_state (due_at, account_id) WHERE due_at IS NOT NULL",
];
