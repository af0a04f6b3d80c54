//! The last event of each account that was read for the diagnosis, and the fingerprint of its findings.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &[
        "CREATE TABLE troubleshooting_place (
            account_id BIGINT NOT NULL,
            sequence BIGINT NOT NULL,
            fingerprint {bytes} NOT NULL,
            due_at BIGINT,
            PRIMARY KEY (account_id)
        )",
        "CREATE INDEX troubleshooting_due ON troubleshooting_place (due_at, account_id) WHERE due_at IS NOT NULL",
    ],
    down: &["DROP TABLE troubleshooting_place"],
};
