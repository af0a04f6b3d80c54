//! Notification settings of members. `changed_at` is NULL where nothing has changed since the member was added.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &["CREATE TABLE notification_settings (
            account_id BIGINT NOT NULL,
            member_id {uuid} NOT NULL,
            preferences TEXT NOT NULL,
            low_balance_threshold BIGINT,
            quiet_start INTEGER,
            quiet_end INTEGER,
            changed_at BIGINT,
            version INTEGER NOT NULL,
            {whole low_balance_threshold, quiet_start, quiet_end}PRIMARY KEY (account_id, member_id),
            FOREIGN KEY (account_id, member_id) REFERENCES member (account_id, id)
        )"],
    down: &["DROP TABLE notification_settings"],
};
