//! The last event of each account that was read for alerts.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &["CREATE TABLE alert_place (
            account_id BIGINT NOT NULL,
            sequence BIGINT NOT NULL,
            PRIMARY KEY (account_id)
        )"],
    down: &["DROP TABLE alert_place"],
};
