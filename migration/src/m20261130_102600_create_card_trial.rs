//! Cards that were tried in an account, kept or not, so that their number can be bounded.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &["CREATE TABLE card_trial (
            account_id BIGINT NOT NULL,
            kind TEXT NOT NULL,
            subject TEXT NOT NULL,
            actor_id {uuid} NOT NULL,
            tried_at BIGINT NOT NULL,
            {whole tried_at}PRIMARY KEY (account_id, kind, subject)
        )"],
    down: &["DROP TABLE card_trial"],
};
