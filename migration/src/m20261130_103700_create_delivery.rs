//! Deliveries of alerts to recipients by channels.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &[
        "CREATE TABLE delivery (
            account_id BIGINT NOT NULL,
            id {uuid} NOT NULL,
            alert_id {uuid} NOT NULL,
            recipient_kind TEXT NOT NULL DEFAULT 'MEMBER',
            recipient_id {uuid} NOT NULL,
            channel TEXT NOT NULL,
            kind TEXT NOT NULL,
            severity TEXT NOT NULL,
            status TEXT NOT NULL,
            suppressed_because TEXT,
            address TEXT,
            attempts INTEGER NOT NULL,
            last_error TEXT,
            next_attempt_at BIGINT,
            sent_at BIGINT,
            sent_with {uuid},
            created_at BIGINT NOT NULL,
            queued_at BIGINT {integer queued_at},
            resolved_at BIGINT,
            read_at BIGINT,
            archived_at BIGINT,
            marked_in BIGINT,
            PRIMARY KEY (account_id, id),
            FOREIGN KEY (account_id, alert_id) REFERENCES alert (account_id, id)
        )",
        "CREATE UNIQUE INDEX delivery_once ON delivery (account_id, alert_id, recipient_id, channel)",
        "CREATE INDEX delivery_member ON delivery (account_id, recipient_id, created_at, id)",
        "CREATE INDEX delivery_inbox ON delivery (account_id, recipient_id, created_at, alert_id)",
        "CREATE INDEX delivery_unread ON delivery (account_id, recipient_id)
            WHERE channel = 'IN_APP' AND status = 'SENT' AND read_at IS NULL AND archived_at IS NULL",
        "CREATE INDEX delivery_marked ON delivery (account_id, recipient_id, marked_in) WHERE marked_in IS NOT NULL",
        "CREATE INDEX delivery_mail ON delivery (account_id, kind, created_at) WHERE channel = 'EMAIL'",
        "CREATE INDEX delivery_due ON delivery (next_attempt_at) WHERE status IN ('QUEUED', 'SENDING')",
        "CREATE INDEX delivery_sent_with ON delivery (account_id, sent_with) WHERE sent_with IS NOT NULL",
        "CREATE INDEX delivery_unsent ON delivery (account_id, created_at)
            WHERE channel = 'EMAIL' AND status IN ('QUEUED', 'SENDING', 'FAILED')",
        "CREATE INDEX delivery_last_mail ON delivery (account_id, recipient_id, kind, created_at)
            WHERE channel = 'EMAIL' AND status IN ('QUEUED', 'SENDING', 'SENT')",
    ],
    down: &["DROP TABLE delivery"],
};
