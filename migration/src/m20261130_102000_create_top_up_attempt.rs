//! Attempts to charge for top-ups. A top-up has at most one open attempt.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &[
        "CREATE TABLE top_up_attempt (
            account_id BIGINT NOT NULL,
            id {uuid} NOT NULL,
            top_up_id {uuid} NOT NULL,
            number INTEGER NOT NULL,
            outcome TEXT NOT NULL,
            failure_code TEXT,
            payment_method_id {uuid} NOT NULL,
            fingerprint TEXT NOT NULL,
            object_id TEXT,
            failure_mark TEXT,
            is_automatic BOOLEAN NOT NULL,
            month TEXT,
            price_minor BIGINT NOT NULL,
            step TEXT NOT NULL,
            confirm_sent_at BIGINT,
            unknown_since BIGINT,
            is_escalated BOOLEAN NOT NULL,
            tries INTEGER NOT NULL,
            due_at BIGINT,
            actor_kind TEXT NOT NULL,
            actor_key_id {uuid},
            actor_member_id {uuid},
            created_at BIGINT NOT NULL,
            finished_at BIGINT,
            {whole price_minor}PRIMARY KEY (account_id, id)
        )",
        "CREATE UNIQUE INDEX top_up_attempt_number ON top_up_attempt (account_id, top_up_id, number)",
        "CREATE UNIQUE INDEX top_up_attempt_open ON top_up_attempt (account_id, top_up_id) WHERE finished_at IS NULL",
        "CREATE INDEX top_up_attempt_due ON top_up_attempt (due_at, account_id, id) WHERE due_at IS NOT NULL",
        "CREATE INDEX top_up_attempt_automatic ON top_up_attempt (account_id, created_at) WHERE is_automatic",
        "CREATE INDEX top_up_attempt_declined ON top_up_attempt (account_id, finished_at) WHERE outcome = 'DECLINED'",
    ],
    down: &["DROP TABLE top_up_attempt"],
};
