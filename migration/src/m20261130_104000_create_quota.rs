//! How often an action was done within a time, and when the count starts over: the row can be deleted then. Global: an address counts
//! across all accounts.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &[
        "CREATE TABLE quota (
            scope TEXT NOT NULL,
            subject {bytes} NOT NULL,
            ends_at BIGINT NOT NULL,
            used BIGINT NOT NULL,
            {whole ends_at, used}PRIMARY KEY (scope, subject)
        )",
        "CREATE INDEX quota_end ON quota (ends_at)",
    ],
    down: &["DROP TABLE quota"],
};
