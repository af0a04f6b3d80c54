//! Alerts that are open. A kind is not raised again for a recipient before it has ended.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &["CREATE TABLE alert_edge (
            account_id BIGINT NOT NULL,
            kind TEXT NOT NULL,
            recipient_kind TEXT NOT NULL DEFAULT 'MEMBER',
            recipient_id {uuid} NOT NULL,
            alert_id {uuid} NOT NULL,
            level BIGINT {integer level},
            PRIMARY KEY (account_id, kind, recipient_id)
        )"],
    down: &["DROP TABLE alert_edge"],
};
