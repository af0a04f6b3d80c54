//! When each API key was last used. Apart from the key, so that its use locks no other row.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &["CREATE TABLE api_key_use (
            account_id BIGINT NOT NULL,
            api_key_id {uuid} NOT NULL,
            last_used_at BIGINT NOT NULL,
            PRIMARY KEY (account_id, api_key_id)
        ) {clustered}"],
    down: &["DROP TABLE api_key_use"],
};
