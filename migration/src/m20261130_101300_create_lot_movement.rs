//! What each entry moved into and out of lots.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &[
        "CREATE TABLE lot_movement (
            account_id BIGINT NOT NULL,
            entry_id {uuid} NOT NULL,
            ordinal INTEGER NOT NULL,
            lot_id {uuid},
            amount BIGINT NOT NULL CHECK (amount <> 0),
            returned BIGINT NOT NULL CHECK (returned >= 0),
            {whole amount, returned}PRIMARY KEY (account_id, entry_id, ordinal)
        ) {clustered}",
        "CREATE INDEX lot_movement_lot ON lot_movement (account_id, lot_id)",
    ],
    down: &["DROP TABLE lot_movement"],
};
