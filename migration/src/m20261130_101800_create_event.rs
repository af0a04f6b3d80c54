//! Numbered events, the source of every subscription.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &["CREATE TABLE event (
            account_id BIGINT NOT NULL,
            sequence BIGINT NOT NULL,
            nonce BIGINT NOT NULL,
            kind TEXT NOT NULL,
            occurred_at BIGINT NOT NULL,
            entry_id {uuid},
            session_id {uuid},
            top_up_id {uuid},
            member_id {uuid},
            alert_id {uuid},
            api_key_id {uuid},
            status TEXT,
            balance_version BIGINT,
            PRIMARY KEY (account_id, sequence)
        ) {clustered}"],
    down: &["DROP TABLE event"],
};
