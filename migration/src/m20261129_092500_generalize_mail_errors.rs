//! The texts of mail systems and the network are no longer stored where members see them. A reason of a closed list
//! replaces them.

use sea_orm_migration::prelude::*;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, STATEMENTS).await
    }

    /// The original texts are lost; the text that replaces them is valid for the older version too.
    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }
}

const STATEMENTS: &[&str] = &[
    "UPDATE delivery SET last_error = 'OTHER' WHERE last_error IS NOT NULL",
    "UPDATE contact SET bounce_message = 'REFUSED' WHERE bounce_message IS NOT NULL",
];
