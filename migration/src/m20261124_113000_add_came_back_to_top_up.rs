//! The part of returned money that came back, because refunds failed later.

use sea_orm_migration::prelude::*;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let add = "ALTER TABLE top_up ADD COLUMN came_back_minor BIGINT NOT NULL DEFAULT 0 {integer came_back_minor}";
        ddl::run(manager, &[add]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::drop_columns(manager, "top_up", &["came_back_minor"]).await
    }
}
