//! How members and notification addresses are reached.
//!
//! It has no foreign key, because a key in SQL cannot refer to one of two tables.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &["CREATE TABLE contact (
            account_id BIGINT NOT NULL,
            recipient_id {uuid} NOT NULL,
            email TEXT,
            email_status TEXT NOT NULL,
            bounce_message TEXT,
            locale TEXT NOT NULL,
            timezone TEXT NOT NULL,
            version INTEGER NOT NULL,
            status_since BIGINT {integer status_since},
            voucher_kind TEXT,
            voucher_key_id {uuid},
            vouched_at BIGINT {integer vouched_at},
            PRIMARY KEY (account_id, recipient_id)
        )"],
    down: &["DROP TABLE contact"],
};
