//! The notification defaults of an account's members, for preferences that a member has not set.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &["CREATE TABLE notification_defaults (
            account_id BIGINT NOT NULL,
            preferences TEXT NOT NULL,
            version INTEGER NOT NULL,
            PRIMARY KEY (account_id)
        )"],
    down: &["DROP TABLE notification_defaults"],
};
