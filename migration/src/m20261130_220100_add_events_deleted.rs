//! Where the events of an account begin, once old ones are deleted; and the index that finds old webhooks.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &[
        "ALTER TABLE account_state ADD COLUMN events_deleted BIGINT NOT NULL DEFAULT 0 {integer events_deleted}",
        "CREATE INDEX webhook_inbox_applied ON webhook_inbox (received_at) WHERE status = 'APPLIED'",
    ],
    down: &[
        "DROP INDEX webhook_inbox_applied",
        "ALTER TABLE account_state DROP COLUMN events_deleted",
    ],
};
