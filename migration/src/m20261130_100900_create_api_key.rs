//! API keys. Global: a key is looked up before its account is known.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &[
        "CREATE TABLE api_key (
            id {uuid} NOT NULL PRIMARY KEY,
            account_id BIGINT NOT NULL,
            side TEXT NOT NULL DEFAULT 'TEAM' CHECK (side IN ('PLATFORM', 'TEAM')),
            prefix TEXT NOT NULL,
            secret_hash {bytes} NOT NULL,
            name TEXT NOT NULL,
            permissions BIGINT NOT NULL,
            maker_kind TEXT,
            maker_key_id {uuid},
            maker_member_id {uuid},
            keys_made BIGINT NOT NULL DEFAULT 0 {integer keys_made},
            created_at BIGINT NOT NULL,
            expires_at BIGINT,
            revoked_at BIGINT,
            is_announced BOOLEAN NOT NULL DEFAULT TRUE
        )",
        "CREATE UNIQUE INDEX api_key_prefix ON api_key (prefix)",
        "CREATE INDEX api_key_account ON api_key (account_id, created_at, id)",
        "CREATE INDEX api_key_made_by_key ON api_key (maker_key_id) WHERE maker_key_id IS NOT NULL",
        "CREATE INDEX api_key_made_by_member ON api_key (account_id, maker_member_id) WHERE maker_member_id IS NOT NULL",
        "CREATE INDEX api_key_unannounced ON api_key (account_id)
            WHERE side = 'TEAM' AND revoked_at IS NOT NULL AND NOT is_announced",
    ],
    down: &["DROP TABLE api_key"],
};
