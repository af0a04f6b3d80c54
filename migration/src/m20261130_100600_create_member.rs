//! Members of teams. `returned_at`: tokens from before that time are no longer accepted.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &[
        "CREATE TABLE member (
            account_id BIGINT NOT NULL,
            id {uuid} NOT NULL,
            external_id TEXT,
            name TEXT NOT NULL,
            role TEXT NOT NULL,
            removed_at BIGINT,
            returned_at BIGINT,
            version INTEGER NOT NULL,
            created_at BIGINT NOT NULL,
            PRIMARY KEY (account_id, id)
        )",
        "CREATE UNIQUE INDEX member_external ON member (account_id, external_id) WHERE external_id IS NOT NULL",
        "CREATE INDEX member_created ON member (account_id, created_at, id)",
    ],
    down: &["DROP TABLE member"],
};
