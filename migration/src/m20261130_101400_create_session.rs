//! Sessions.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &[
        "CREATE TABLE session (
            account_id BIGINT NOT NULL,
            id {uuid} NOT NULL,
            external_id TEXT,
            member_id {uuid} NOT NULL,
            title TEXT NOT NULL,
            status TEXT NOT NULL,
            starts_at BIGINT NOT NULL,
            ends_at BIGINT NOT NULL,
            booked BIGINT NOT NULL CHECK (booked >= 0),
            held BIGINT NOT NULL CHECK (held >= 0),
            charged BIGINT CHECK (charged >= 0),
            charge_entry_id {uuid},
            refunded BIGINT NOT NULL CHECK (refunded >= 0),
            booked_at BIGINT NOT NULL,
            resolved_at BIGINT,
            hold_expires_at BIGINT NOT NULL,
            cancel_reason TEXT,
            metadata TEXT,
            search_text TEXT NOT NULL,
            processing_announced BOOLEAN NOT NULL,
            {whole booked, held, charged, refunded}PRIMARY KEY (account_id, id)
        )",
        "CREATE UNIQUE INDEX session_open_external ON session (account_id, external_id)
            WHERE status = 'BOOKED' AND external_id IS NOT NULL",
        "CREATE INDEX session_external ON session (account_id, external_id, booked_at) WHERE external_id IS NOT NULL",
        "CREATE INDEX session_booked ON session (account_id, booked_at, id)",
        "CREATE INDEX session_starts ON session (account_id, starts_at, id)",
        "CREATE INDEX session_member ON session (account_id, member_id, booked_at, id)",
        "CREATE INDEX session_status ON session (account_id, status, booked_at, id)",
        "CREATE INDEX session_open_ends ON session (account_id, ends_at) WHERE status = 'BOOKED'",
        "CREATE INDEX session_hold_expiry ON session (account_id, hold_expires_at) WHERE status = 'BOOKED'",
        "CREATE INDEX session_resolved ON session (account_id, resolved_at) WHERE charge_entry_id IS NOT NULL",
    ],
    down: &["DROP TABLE session"],
};
