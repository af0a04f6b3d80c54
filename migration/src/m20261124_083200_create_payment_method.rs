//! Cards, and the payment gateway's customers.

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
        ddl::drop_tables(manager, &["payment_method", "payment_customer"]).await
    }
}

const STATEMENTS: &[&str] = &[
    "CREATE TABLE payment_customer (
        account_id BIGINT NOT NULL,
        gateway TEXT NOT NULL,
        customer_id TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        PRIMARY KEY (account_id, gateway)
    ) {clustered}",
    "CREATE TABLE payment_method (
        account_id BIGINT NOT NULL,
        id {uuid} NOT NULL,
        gateway_card_id TEXT NOT NULL,
        brand TEXT NOT NULL,
        last4 TEXT NOT NULL,
        expiry_month INTEGER NOT NULL,
        expiry_year INTEGER NOT NULL,
        fingerprint TEXT NOT NULL,
        suspension TEXT,
        is_default BOOLEAN NOT NULL,
        added_at BIGINT NOT NULL,
        last_declined_at BIGINT,
        removed_at BIGINT,
        PRIMARY KEY (account_id, id)
    )",
    "CREATE UNIQUE INDEX payment_method_card ON payment_method (account_id, gateway_card_id)",
    "CREATE UNIQUE INDEX payment_method_default ON payment_method (account_id) WHERE is_default AND removed_at IS NULL",
];
