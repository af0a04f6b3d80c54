//! The rules by which accounts buy credits automatically.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &[
        "CREATE TABLE auto_top_up (
            account_id BIGINT NOT NULL PRIMARY KEY,
            is_enabled BOOLEAN NOT NULL,
            trigger_credits BIGINT,
            amount BIGINT,
            monthly_cap_minor BIGINT,
            payment_method_id {uuid},
            consent_trigger BIGINT,
            consent_amount BIGINT,
            consent_cap_minor BIGINT,
            consent_price_minor BIGINT,
            consent_actor_kind TEXT,
            consent_actor_key_id {uuid},
            consent_actor_member_id {uuid},
            consented_at BIGINT,
            pause TEXT,
            paused_fingerprint TEXT,
            soft_declines INTEGER NOT NULL,
            refused_at BIGINT,
            due_at BIGINT,
            repeated INTEGER NOT NULL,
            version INTEGER NOT NULL,
            created_at BIGINT NOT NULL,
            updated_at BIGINT NOT NULL,
            {whole trigger_credits, amount, monthly_cap_minor}CHECK (amount > 0)
        )",
        "CREATE INDEX auto_top_up_due ON auto_top_up (due_at, account_id) WHERE due_at IS NOT NULL",
        "CREATE INDEX auto_top_up_paused ON auto_top_up (account_id) WHERE is_enabled AND pause IS NOT NULL",
    ],
    down: &["DROP TABLE auto_top_up"],
};
