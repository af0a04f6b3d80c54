//! Webhooks of the payment gateway, as received. Global: a webhook is stored before its account is known.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &[
        "CREATE TABLE webhook_inbox (
            gateway TEXT NOT NULL,
            event_id TEXT NOT NULL,
            kind TEXT NOT NULL,
            object_id TEXT,
            body {bytes} NOT NULL,
            status TEXT NOT NULL,
            tries INTEGER NOT NULL,
            last_error TEXT,
            received_at BIGINT NOT NULL,
            applied_at BIGINT,
            due_at BIGINT,
            PRIMARY KEY (gateway, event_id)
        )",
        "CREATE INDEX webhook_inbox_due ON webhook_inbox (due_at) WHERE due_at IS NOT NULL",
        "CREATE INDEX webhook_inbox_parked ON webhook_inbox (received_at) WHERE status = 'PARKED'",
    ],
    down: &["DROP TABLE webhook_inbox"],
};
