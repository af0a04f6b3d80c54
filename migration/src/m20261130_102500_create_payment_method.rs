//! Cards. An account has at most one default card.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &[
        "CREATE TABLE payment_method (
            account_id BIGINT NOT NULL,
            id {uuid} NOT NULL,
            gateway_card_id TEXT NOT NULL,
            brand TEXT NOT NULL,
            last4 TEXT NOT NULL,
            expiry_month INTEGER NOT NULL,
            expiry_year INTEGER NOT NULL,
            fingerprint TEXT NOT NULL,
            suspension TEXT,
            is_default BOOLEAN NOT NULL,
            added_at BIGINT NOT NULL,
            last_declined_at BIGINT,
            removed_at BIGINT,
            PRIMARY KEY (account_id, id)
        )",
        "CREATE UNIQUE INDEX payment_method_card ON payment_method (account_id, gateway_card_id)",
        "CREATE UNIQUE INDEX payment_method_default ON payment_method (account_id) WHERE is_default AND removed_at IS NULL",
    ],
    down: &["DROP TABLE payment_method"],
};
