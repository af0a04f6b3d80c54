//! Until when the last check of an account's findings is right: its last event, and the time at which they may change.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &[
        "ALTER TABLE account_finding ADD COLUMN checked_sequence BIGINT NOT NULL DEFAULT 0 {integer checked_sequence}",
        "ALTER TABLE account_finding ADD COLUMN due_at BIGINT {integer due_at}",
    ],
    down: &[
        "ALTER TABLE account_finding DROP COLUMN due_at",
        "ALTER TABLE account_finding DROP COLUMN checked_sequence",
    ],
};
