//! Accounts: their names and prices.
//!
//! `adapters::database::migrate` writes a missing `search_text`, because SQL cannot fold letters.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &[
        "CREATE TABLE account (
            account_id BIGINT NOT NULL PRIMARY KEY,
            external_id TEXT,
            search_text TEXT,
            name TEXT NOT NULL,
            timezone TEXT NOT NULL,
            currency TEXT NOT NULL,
            credit_price BIGINT NOT NULL,
            version INTEGER NOT NULL,
            created_at BIGINT NOT NULL,
            {whole credit_price}CHECK (credit_price >= 0)
        )",
        "CREATE INDEX account_created ON account (created_at, account_id)",
    ],
    down: &["DROP TABLE account"],
};
