//! Messages to endpoints, each in the account that it is about.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &[
        "CREATE TABLE webhook_message (
            account_id BIGINT NOT NULL,
            id {uuid} NOT NULL,
            endpoint_account_id BIGINT NOT NULL,
            endpoint_id {uuid} NOT NULL,
            sequence BIGINT,
            nonce BIGINT,
            event_type TEXT NOT NULL,
            payload TEXT NOT NULL,
            status TEXT NOT NULL,
            attempts INTEGER NOT NULL,
            failures INTEGER NOT NULL,
            next_attempt_at BIGINT,
            created_at BIGINT NOT NULL,
            delivered_at BIGINT,
            {whole sequence, nonce, next_attempt_at, created_at, delivered_at}PRIMARY KEY (account_id, id)
        )",
        "CREATE UNIQUE INDEX webhook_message_once ON webhook_message (account_id, endpoint_id, sequence)",
        "CREATE INDEX webhook_message_endpoint ON webhook_message (account_id, endpoint_id, created_at, id)",
        "CREATE INDEX webhook_message_due ON webhook_message (next_attempt_at) WHERE status IN ('PENDING', 'SENDING')",
        "CREATE INDEX webhook_message_ended ON webhook_message (created_at)
            WHERE status IN ('DELIVERED', 'FAILED', 'DISCARDED')",
    ],
    down: &["DROP TABLE webhook_message"],
};
