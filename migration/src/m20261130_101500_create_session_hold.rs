//! The parts of the holds of open sessions.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &[
        "CREATE TABLE session_hold (
            account_id BIGINT NOT NULL,
            session_id {uuid} NOT NULL,
            ordinal INTEGER NOT NULL,
            booked_at BIGINT NOT NULL,
            amount BIGINT NOT NULL CHECK (amount > 0),
            {whole amount}PRIMARY KEY (account_id, session_id, ordinal)
        ) {clustered}",
        "CREATE INDEX session_hold_booked ON session_hold (account_id, booked_at)",
    ],
    down: &["DROP TABLE session_hold"],
};
