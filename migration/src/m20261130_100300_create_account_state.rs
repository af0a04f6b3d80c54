//! The one row of each account that every change locks. Partial indexes find the accounts that a worker has work for, and those that a
//! filter of the platform's list names.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &[
        "CREATE TABLE account_state (
            account_id BIGINT NOT NULL PRIMARY KEY,
            status TEXT NOT NULL,
            halted_at BIGINT,
            halt_reason TEXT,
            posted BIGINT NOT NULL,
            held BIGINT NOT NULL CHECK (held >= 0),
            incoming BIGINT NOT NULL CHECK (incoming >= 0),
            debt BIGINT NOT NULL CHECK (debt >= 0),
            balance_version BIGINT NOT NULL,
            balance_at BIGINT NOT NULL,
            entry_sequence BIGINT NOT NULL,
            event_sequence BIGINT NOT NULL,
            event_nonce BIGINT NOT NULL,
            last_hash {bytes} NOT NULL,
            last_at BIGINT NOT NULL,
            lot_count BIGINT NOT NULL,
            session_grace_millis BIGINT NOT NULL,
            next_lot_expiry_at BIGINT,
            next_hold_expiry_at BIGINT,
            next_processing_at BIGINT,
            due_at BIGINT,
            low_mark BIGINT {integer low_mark},
            low_since BIGINT,
            unread_since BIGINT {integer unread_since},
            is_followed BOOLEAN NOT NULL DEFAULT FALSE,
            unchecked_since BIGINT {integer unchecked_since},
            {whole posted, held, incoming, debt}CHECK (lot_count >= 0)
        )",
        "CREATE INDEX account_state_due ON account_state (due_at, account_id) WHERE due_at IS NOT NULL",
        "CREATE INDEX account_state_low ON account_state (low_since, account_id) WHERE low_since IS NOT NULL",
        "CREATE INDEX account_state_unread ON account_state (unread_since, account_id) WHERE unread_since IS NOT NULL",
        "CREATE INDEX account_state_unchecked ON account_state (unchecked_since, account_id) WHERE unchecked_since IS NOT NULL",
        "CREATE INDEX account_state_available ON account_state ((posted - held), account_id)",
        "CREATE INDEX account_state_halted ON account_state (account_id) WHERE status <> 'ACTIVE'",
    ],
    down: &["DROP TABLE account_state"],
};
