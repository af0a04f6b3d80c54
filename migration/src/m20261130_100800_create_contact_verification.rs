//! Codes that were sent to addresses.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &["CREATE TABLE contact_verification (
            account_id BIGINT NOT NULL,
            recipient_id {uuid} NOT NULL,
            email TEXT NOT NULL,
            code_hash {bytes} NOT NULL,
            tries_left INTEGER NOT NULL,
            made_at BIGINT NOT NULL,
            PRIMARY KEY (account_id, recipient_id),
            FOREIGN KEY (account_id, recipient_id) REFERENCES contact (account_id, recipient_id)
        )"],
    down: &["DROP TABLE contact_verification"],
};
