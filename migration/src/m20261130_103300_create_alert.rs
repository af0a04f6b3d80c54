//! Alerts. `dedupe_key` makes each alert unique.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &[
        "CREATE TABLE alert (
            account_id BIGINT NOT NULL,
            id {uuid} NOT NULL,
            kind TEXT NOT NULL,
            severity TEXT NOT NULL,
            dedupe_key TEXT NOT NULL,
            subject_id {uuid},
            facts TEXT NOT NULL,
            entry_id {uuid},
            session_id {uuid},
            top_up_id {uuid},
            raised_at BIGINT NOT NULL,
            resolved_at BIGINT,
            PRIMARY KEY (account_id, id)
        )",
        "CREATE UNIQUE INDEX alert_dedupe ON alert (account_id, dedupe_key)",
        "CREATE INDEX alert_raised ON alert (account_id, raised_at, id)",
        "CREATE INDEX alert_open_top_up ON alert (account_id, top_up_id) WHERE top_up_id IS NOT NULL AND resolved_at IS NULL",
        "CREATE INDEX alert_standing ON alert (account_id, kind)
            WHERE resolved_at IS NULL AND entry_id IS NULL AND session_id IS NULL AND top_up_id IS NULL",
        "CREATE INDEX alert_unresolved_session ON alert (account_id, session_id)
            WHERE kind = 'SESSION_UNRESOLVED' AND resolved_at IS NULL",
    ],
    down: &["DROP TABLE alert"],
};
