//! The credit log: one immutable line for each movement. An index for each filter.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &[
        "CREATE TABLE credit_entry (
            account_id BIGINT NOT NULL,
            sequence BIGINT NOT NULL,
            id {uuid} NOT NULL,
            occurred_at BIGINT NOT NULL,
            kind TEXT NOT NULL,
            contra TEXT NOT NULL,
            amount BIGINT NOT NULL CHECK (amount <> 0),
            balance_after BIGINT NOT NULL,
            description TEXT NOT NULL,
            actor_kind TEXT NOT NULL,
            actor_key_id {uuid},
            actor_member_id {uuid},
            member_id {uuid},
            session_id {uuid},
            top_up_id {uuid},
            reverses_entry_id {uuid},
            taken_back BIGINT NOT NULL CHECK (taken_back >= 0),
            search_text TEXT NOT NULL,
            hash_version INTEGER NOT NULL,
            hash {bytes} NOT NULL,
            {whole amount, balance_after, taken_back}PRIMARY KEY (account_id, sequence)
        )",
        "CREATE UNIQUE INDEX credit_entry_id ON credit_entry (account_id, id)",
        "CREATE UNIQUE INDEX credit_entry_crediting ON credit_entry (account_id, top_up_id) WHERE kind IN ('TOP_UP', 'AUTO_TOP_UP')",
        "CREATE INDEX credit_entry_occurred ON credit_entry (account_id, occurred_at, sequence)",
        "CREATE INDEX credit_entry_kind ON credit_entry (account_id, kind, sequence)",
        "CREATE INDEX credit_entry_member ON credit_entry (account_id, member_id, sequence) WHERE member_id IS NOT NULL",
        "CREATE INDEX credit_entry_session ON credit_entry (account_id, session_id, sequence) WHERE session_id IS NOT NULL",
        "CREATE INDEX credit_entry_top_up ON credit_entry (account_id, top_up_id, sequence) WHERE top_up_id IS NOT NULL",
        "CREATE INDEX credit_entry_actor_member ON credit_entry (account_id, actor_member_id, sequence)
            WHERE actor_member_id IS NOT NULL",
        "CREATE INDEX credit_entry_actor_key ON credit_entry (account_id, actor_key_id, sequence) WHERE actor_key_id IS NOT NULL",
        "CREATE INDEX credit_entry_reverses ON credit_entry (account_id, reverses_entry_id) WHERE reverses_entry_id IS NOT NULL",
    ],
    down: &["DROP TABLE credit_entry"],
};
