//! Idempotency keys of callers, one namespace for each side.
//!
//! A key that was sent before the upgrade still replays for the side that can send it again:
//! - Commands that only the platform may send now (about sessions, grants, corrections, refunds) were the platform's. The
//!   exception: the row that they made records a member as the cause. Those are the team's, which frees a key of the platform
//!   that a member had used up.
//! - A top-up was the platform's when a key for all accounts requested it, else the team's.

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
        ddl::run(manager, DOWN).await
    }
}

const UP: &[&str] = &[
    "UPDATE idempotency_key SET origin = CASE WHEN
            EXISTS (SELECT 1 FROM credit_entry AS e WHERE e.account_id = idempotency_key.account_id
                    AND e.id = idempotency_key.entry_id AND e.actor_kind = 'MEMBER')
            OR EXISTS (SELECT 1 FROM top_up_refund AS r WHERE r.account_id = idempotency_key.account_id
                    AND r.top_up_id = idempotency_key.top_up_id AND r.created_at = idempotency_key.created_at
                    AND r.actor_kind = 'MEMBER')
            THEN 'TEAM' ELSE 'PLATFORM' END
        WHERE origin = 'CLIENT' AND operation NOT IN ('createTopUp', 'retryTopUp')",
    "UPDATE idempotency_key SET origin = CASE WHEN
            EXISTS (SELECT 1 FROM top_up_attempt AS a JOIN api_key AS k ON k.id = a.actor_key_id AND k.account_id = 0
                    WHERE a.account_id = idempotency_key.account_id AND a.top_up_id = idempotency_key.top_up_id
                    AND a.created_at = idempotency_key.created_at)
            THEN 'PLATFORM' ELSE 'TEAM' END
        WHERE origin = 'CLIENT'",
];

// Where both sides have used a key, the platform's stays.
const DOWN: &[&str] = &[
    "DELETE FROM idempotency_key WHERE origin = 'TEAM' AND EXISTS (SELECT 1 FROM idempotency_key AS p
        WHERE p.account_id = idempotency_key.account_id AND p.origin = 'PLATFORM' AND p.key = idempotency_key.key)",
    "UPDATE idempotency_key SET origin = 'CLIENT' WHERE origin IN ('PLATFORM', 'TEAM')",
];
