//! The number of findings of each account at its last check, for the platform's list of accounts.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &[
        "CREATE TABLE account_finding (
            account_id BIGINT NOT NULL,
            findings INTEGER NOT NULL,
            severity TEXT,
            checked_at BIGINT NOT NULL,
            {whole findings, checked_at}PRIMARY KEY (account_id)
        )",
        "CREATE INDEX account_finding_found ON account_finding (account_id) WHERE findings > 0",
        "CREATE INDEX account_finding_checked ON account_finding (checked_at, account_id)",
    ],
    down: &["DROP TABLE account_finding"],
};
