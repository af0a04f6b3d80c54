//! Keys that commands were bound to, and the result of each. One namespace for each origin: the platform, the team, the system.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &["CREATE TABLE idempotency_key (
            account_id BIGINT NOT NULL,
            origin TEXT NOT NULL,
            key TEXT NOT NULL,
            digest {bytes} NOT NULL,
            operation TEXT NOT NULL,
            session_id {uuid},
            entry_id {uuid},
            top_up_id {uuid},
            created_at BIGINT NOT NULL,
            PRIMARY KEY (account_id, origin, key)
        ) {clustered}"],
    down: &["DROP TABLE idempotency_key"],
};
