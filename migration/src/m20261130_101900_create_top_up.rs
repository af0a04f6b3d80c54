//! Purchases of credits. An account has at most one open automatic top-up.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &[
        "CREATE TABLE top_up (
            account_id BIGINT NOT NULL,
            id {uuid} NOT NULL,
            status TEXT NOT NULL,
            origin TEXT NOT NULL,
            credits BIGINT NOT NULL CHECK (credits > 0),
            price_minor BIGINT NOT NULL,
            currency TEXT NOT NULL,
            actor_kind TEXT NOT NULL,
            actor_key_id {uuid},
            actor_member_id {uuid},
            entry_id {uuid},
            credits_reversed BIGINT NOT NULL CHECK (credits_reversed >= 0),
            failure_code TEXT,
            next_attempt_at BIGINT,
            cancel_requested_at BIGINT,
            action_url TEXT,
            action_expires_at BIGINT,
            object_id TEXT,
            object_number INTEGER NOT NULL DEFAULT 0,
            returned_minor BIGINT NOT NULL DEFAULT 0 {integer returned_minor},
            came_back_minor BIGINT NOT NULL DEFAULT 0 {integer came_back_minor},
            came_back_at BIGINT {integer came_back_at},
            dispute TEXT,
            disputed_minor BIGINT NOT NULL DEFAULT 0 {integer disputed_minor},
            created_at BIGINT NOT NULL,
            updated_at BIGINT NOT NULL,
            {whole credits, price_minor, credits_reversed}PRIMARY KEY (account_id, id)
        )",
        "CREATE INDEX top_up_created ON top_up (account_id, created_at, id)",
        "CREATE UNIQUE INDEX top_up_open_automatic ON top_up (account_id)
            WHERE origin = 'AUTO' AND (status IN ('PENDING', 'PROCESSING', 'REQUIRES_ACTION') OR (status = 'FAILED' AND next_attempt_at IS NOT NULL))",
        "CREATE INDEX top_up_due ON top_up (next_attempt_at, account_id) WHERE next_attempt_at IS NOT NULL",
        "CREATE INDEX top_up_unfinished ON top_up (account_id, created_at)
            WHERE status IN ('PENDING', 'PROCESSING', 'REQUIRES_ACTION')",
        "CREATE INDEX top_up_failed ON top_up (account_id, created_at) WHERE status = 'FAILED'",
        "CREATE INDEX top_up_came_back ON top_up (came_back_at, account_id) WHERE came_back_at IS NOT NULL",
    ],
    down: &["DROP TABLE top_up"],
};
