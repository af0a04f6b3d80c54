//! Attempts to send messages to endpoints.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &["CREATE TABLE webhook_attempt (
            account_id BIGINT NOT NULL,
            message_id {uuid} NOT NULL,
            number INTEGER NOT NULL,
            started_at BIGINT NOT NULL,
            duration_millis BIGINT NOT NULL,
            status_code INTEGER,
            failure TEXT,
            {whole started_at, duration_millis}PRIMARY KEY (account_id, message_id, number)
        )"],
    down: &["DROP TABLE webhook_attempt"],
};
