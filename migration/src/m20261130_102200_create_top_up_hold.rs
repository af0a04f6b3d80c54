//! Credits held for a top-up: while it is disputed, and while money of it is being refunded.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &["CREATE TABLE top_up_hold (
            account_id BIGINT NOT NULL,
            top_up_id {uuid} NOT NULL,
            amount BIGINT NOT NULL CHECK (amount > 0),
            refunding BIGINT NOT NULL DEFAULT 0 {integer refunding},
            {whole amount}PRIMARY KEY (account_id, top_up_id)
        )"],
    down: &["DROP TABLE top_up_hold"],
};
