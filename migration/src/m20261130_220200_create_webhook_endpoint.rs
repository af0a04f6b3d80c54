//! Endpoints that get messages about events. Those of the platform have account 0.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &[
        "CREATE TABLE webhook_endpoint (
            account_id BIGINT NOT NULL,
            id {uuid} NOT NULL,
            url TEXT NOT NULL,
            description TEXT NOT NULL,
            event_types TEXT NOT NULL,
            disabled_at BIGINT,
            disabled_because TEXT,
            enabled_at BIGINT NOT NULL,
            failing_since BIGINT,
            secret_generation INTEGER NOT NULL,
            previous_secret_until BIGINT,
            maker_kind TEXT NOT NULL,
            maker_key_id {uuid},
            maker_member_id {uuid},
            created_at BIGINT NOT NULL,
            removed_at BIGINT,
            version INTEGER NOT NULL,
            {whole disabled_at, enabled_at, failing_since, previous_secret_until, created_at, removed_at}PRIMARY KEY (account_id, id)
        )",
        "CREATE INDEX webhook_endpoint_enabled ON webhook_endpoint (account_id)
            WHERE disabled_at IS NULL AND removed_at IS NULL",
        "CREATE INDEX webhook_endpoint_broken ON webhook_endpoint (disabled_at)
            WHERE disabled_because IN ('GONE', 'FAILING') AND removed_at IS NULL",
    ],
    down: &["DROP TABLE webhook_endpoint"],
};
