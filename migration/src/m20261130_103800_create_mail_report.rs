//! Reports of mail systems about mail.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &[
        "CREATE TABLE mail_report (
            account_id BIGINT NOT NULL,
            id TEXT NOT NULL,
            recipient_id {uuid} NOT NULL,
            delivery_id {uuid},
            kind TEXT NOT NULL,
            address TEXT NOT NULL,
            reason TEXT,
            received_at BIGINT NOT NULL,
            {whole received_at}PRIMARY KEY (account_id, id),
            FOREIGN KEY (account_id, recipient_id) REFERENCES contact (account_id, recipient_id)
        )",
        "CREATE INDEX mail_report_delivery ON mail_report (account_id, delivery_id) WHERE delivery_id IS NOT NULL",
    ],
    down: &["DROP TABLE mail_report"],
};
