//! The last event of each account of which messages to endpoints were written.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &["CREATE TABLE webhook_checkpoint (
            account_id BIGINT NOT NULL,
            sequence BIGINT NOT NULL,
            {whole sequence}PRIMARY KEY (account_id)
        )"],
    down: &["DROP TABLE webhook_checkpoint"],
};
