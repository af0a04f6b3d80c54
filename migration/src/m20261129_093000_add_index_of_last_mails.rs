//! An index of the last mail of each kind to a member.

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
                "CREATE INDEX delivery_last_mail ON delivery (account_id, member_id, kind, created_at)
               WHERE channel = 'EMAIL' AND status IN ('QUEUED', 'SENDING', 'SENT')",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, &["DROP INDEX delivery_last_mail"]).await
    }
}
