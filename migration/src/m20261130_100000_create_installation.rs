//! The one row about this installation: its epoch, the next account number, and the version of the form of search text.
//!
//! `adapters::database::migrate` rewrites search text of an older form.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &["CREATE TABLE installation (
            id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
            epoch {uuid} NOT NULL,
            next_account_id BIGINT NOT NULL,
            search_form INTEGER NOT NULL DEFAULT 1 {integer search_form},
            created_at BIGINT NOT NULL
        )"],
    down: &["DROP TABLE installation"],
};
