//! The side that an API key acts for, and the permissions that each side can have.
//!
//! A key for all accounts was created by the platform. The creator of a key for one account is not known. So such a key
//! belongs to the team and loses the platform's permissions: with them a team could settle its own sessions. The platform
//! creates new keys for one account where it needs them.

use sea_orm_migration::prelude::*;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, DOWN).await?;
        ddl::drop_columns(manager, "api_key", &["side"]).await
    }
}

// Bits: READ_OWN_USAGE 1, READ_CREDIT_LOG 2, MANAGE_SESSIONS 4, MANAGE_TOP_UPS and then BUY_CREDITS 8, MANAGE_SETTINGS 16,
// MANAGE_MEMBERS 32, MANAGE_CREDITS 64, MANAGE_ACCOUNTS 128, MANAGE_API_KEYS 256; new: BOOK_SESSIONS 512, SETTLE_SESSIONS 1024,
// REFUND_TOP_UPS 2048.
const UP: &[&str] = &[
    "ALTER TABLE api_key ADD COLUMN side TEXT NOT NULL DEFAULT 'TEAM' CHECK (side IN ('PLATFORM', 'TEAM'))",
    "UPDATE api_key SET side = 'PLATFORM' WHERE account_id = 0",
    // The permissions that the team can have: 1 + 2 + 8 + 16 + 32 + 256.
    "UPDATE api_key SET permissions = permissions & 315 WHERE side = 'TEAM'",
    // 1 + 2 + 8 + 16 + 32 + 64 + 128 + 256, without the bit of MANAGE_SESSIONS.
    "UPDATE api_key SET permissions = (permissions & 507)
        | (CASE WHEN permissions & 4 <> 0 THEN 1536 ELSE 0 END)
        | (CASE WHEN permissions & 8 <> 0 THEN 2048 ELSE 0 END)
        WHERE side = 'PLATFORM'",
];

// A platform key gets an old permission back if it has all new permissions that the old one included. It never gets more than it has now.
const DOWN: &[&str] = &["UPDATE api_key SET permissions = (permissions & 499)
        | (CASE WHEN permissions & 1536 = 1536 THEN 4 ELSE 0 END)
        | (CASE WHEN permissions & 2056 = 2056 THEN 8 ELSE 0 END)
        WHERE side = 'PLATFORM'"];
