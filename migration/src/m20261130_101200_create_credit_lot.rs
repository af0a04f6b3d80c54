//! Credits that came in together.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &[
        "CREATE TABLE credit_lot (
            account_id BIGINT NOT NULL,
            id {uuid} NOT NULL,
            kind TEXT NOT NULL,
            granted BIGINT NOT NULL CHECK (granted > 0),
            remaining BIGINT NOT NULL CHECK (remaining >= 0),
            priority INTEGER NOT NULL,
            expires_at BIGINT,
            created_at BIGINT NOT NULL,
            entry_id {uuid} NOT NULL,
            {whole granted, remaining}PRIMARY KEY (account_id, id)
        )",
        "CREATE INDEX credit_lot_spending ON credit_lot (account_id, priority, expires_at, created_at, id) WHERE remaining > 0",
        "CREATE INDEX credit_lot_created ON credit_lot (account_id, created_at, id)",
        "CREATE INDEX credit_lot_expiry ON credit_lot (account_id, expires_at) WHERE remaining > 0 AND expires_at IS NOT NULL",
    ],
    down: &["DROP TABLE credit_lot"],
};
