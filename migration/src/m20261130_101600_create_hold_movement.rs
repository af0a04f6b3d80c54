//! The history of holds: a row for each change of a hold, from which any past balance can be computed.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &[
        "CREATE TABLE hold_movement (
            account_id BIGINT NOT NULL,
            holder_id {uuid} NOT NULL,
            sequence BIGINT NOT NULL,
            holder TEXT NOT NULL,
            occurred_at BIGINT NOT NULL,
            amount BIGINT NOT NULL CHECK (amount <> 0),
            held BIGINT NOT NULL CHECK (held >= 0),
            held_after BIGINT NOT NULL CHECK (held_after >= 0),
            {whole amount, held, held_after}PRIMARY KEY (account_id, holder_id, sequence)
        ) {clustered}",
        "CREATE INDEX hold_movement_occurred ON hold_movement (account_id, occurred_at, sequence)",
    ],
    down: &["DROP TABLE hold_movement"],
};
