//! Mails to addresses that contacts no longer have.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &[
        "CREATE TABLE address_notice (
            account_id BIGINT NOT NULL,
            id {uuid} NOT NULL,
            email TEXT NOT NULL,
            locale TEXT NOT NULL,
            created_at BIGINT NOT NULL,
            attempts INTEGER NOT NULL,
            next_attempt_at BIGINT NOT NULL,
            PRIMARY KEY (account_id, id)
        )",
        "CREATE INDEX address_notice_due ON address_notice (next_attempt_at)",
    ],
    down: &["DROP TABLE address_notice"],
};
