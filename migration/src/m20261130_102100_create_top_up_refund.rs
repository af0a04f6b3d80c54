//! Refunds of money, and the entries that took and returned their credits.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &[
        "CREATE TABLE top_up_refund (
            account_id BIGINT NOT NULL,
            id {uuid} NOT NULL,
            top_up_id {uuid} NOT NULL,
            credits BIGINT NOT NULL CHECK (credits > 0),
            amount_minor BIGINT NOT NULL,
            is_exact BOOLEAN NOT NULL DEFAULT FALSE,
            reason TEXT NOT NULL,
            status TEXT NOT NULL,
            tries INTEGER NOT NULL,
            due_at BIGINT,
            actor_kind TEXT NOT NULL,
            actor_key_id {uuid},
            actor_member_id {uuid},
            entry_id {uuid},
            came_back_entry_id {uuid},
            created_at BIGINT NOT NULL,
            {whole credits, amount_minor}PRIMARY KEY (account_id, id)
        )",
        "CREATE INDEX top_up_refund_of ON top_up_refund (account_id, top_up_id)",
        "CREATE INDEX top_up_refund_due ON top_up_refund (due_at, account_id, id) WHERE due_at IS NOT NULL",
        "CREATE INDEX top_up_refund_failed ON top_up_refund (created_at, account_id) WHERE status = 'FAILED'",
    ],
    down: &["DROP TABLE top_up_refund"],
};
