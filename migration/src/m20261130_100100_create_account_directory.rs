//! The platform's ids of accounts. Global: an id is looked up before the account is known.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &["CREATE TABLE account_directory (
            external_id TEXT NOT NULL PRIMARY KEY,
            account_id BIGINT NOT NULL
        ) {clustered}"],
    down: &["DROP TABLE account_directory"],
};
