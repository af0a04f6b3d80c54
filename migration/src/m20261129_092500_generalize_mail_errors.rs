//! What mail systems and the network said about mail is no longer kept where members see it: a reason of a closed list is.

use sea_orm_migration::prelude::*;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, STATEMENTS).await
    }

    /// The words are gone; what stands in their place is a text like any other.
    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }
}

const STATEMENTS: &[&str] = &[
    "UPDATE delivery SET last_error = 'OTHER' WHERE last_error IS NOT NULL",
    "UPDATE contact SET bounce_message = 'REFUSED' WHERE bounce_message IS NOT NULL",
];
