//! Addresses that get alerts and belong to no member.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &[
        "CREATE TABLE notification_address (
            account_id BIGINT NOT NULL,
            id {uuid} NOT NULL,
            label TEXT NOT NULL,
            alert_kinds TEXT NOT NULL,
            low_balance_threshold BIGINT,
            maker_kind TEXT NOT NULL,
            maker_key_id {uuid},
            maker_member_id {uuid},
            created_at BIGINT NOT NULL,
            removed_at BIGINT,
            {whole low_balance_threshold, created_at, removed_at}PRIMARY KEY (account_id, id),
            FOREIGN KEY (account_id, id) REFERENCES contact (account_id, recipient_id)
        )",
        "CREATE INDEX notification_address_active ON notification_address (account_id) WHERE removed_at IS NULL",
    ],
    down: &["DROP TABLE notification_address"],
};
