//! Reports of mail systems about mail, and which deliveries were one mail.

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
        ddl::drop_tables(manager, &["mail_report"]).await?;
        ddl::run(manager, &["DROP INDEX delivery_sent_with"]).await?;
        ddl::drop_columns(manager, "delivery", &["sent_with"]).await
    }
}

const STATEMENTS: &[&str] = &[
    "ALTER TABLE delivery ADD COLUMN sent_with {uuid}",
    "CREATE INDEX delivery_sent_with ON delivery (account_id, sent_with) WHERE sent_with IS NOT NULL",
    "CREATE TABLE mail_report (
        account_id BIGINT NOT NULL,
        id TEXT NOT NULL,
        member_id {uuid} NOT NULL,
        delivery_id {uuid},
        kind TEXT NOT NULL,
        address TEXT NOT NULL,
        reason TEXT,
        received_at BIGINT NOT NULL,
        {whole received_at}PRIMARY KEY (account_id, id),
        FOREIGN KEY (account_id, member_id) REFERENCES member (account_id, id)
    )",
    "CREATE INDEX mail_report_delivery ON mail_report (account_id, delivery_id) WHERE delivery_id IS NOT NULL",
];
