//! The words of accounts' names and external ids. They compare as bytes, so that an index finds words by their beginning.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &[
        "CREATE TABLE account_word (
            account_id BIGINT NOT NULL,
            word TEXT {bytewise} NOT NULL,
            PRIMARY KEY (account_id, word)
        ) {clustered}",
        "CREATE INDEX account_word_word ON account_word (word, account_id)",
    ],
    down: &["DROP TABLE account_word"],
};
