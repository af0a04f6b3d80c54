//! When accounts are checked again for alerts, even without new events.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &[
        "CREATE TABLE alert_due (
            account_id BIGINT NOT NULL,
            held_until BIGINT,
            remind_at BIGINT,
            due_at BIGINT NOT NULL,
            {whole held_until, remind_at, due_at}PRIMARY KEY (account_id)
        )",
        "CREATE INDEX alert_due_at ON alert_due (due_at, account_id)",
    ],
    down: &["DROP TABLE alert_due"],
};
