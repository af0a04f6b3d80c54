//! The results of the evaluations of these rules.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &[
        "CREATE TABLE top_up_decision (
            account_id BIGINT NOT NULL,
            id {uuid} NOT NULL,
            created_at BIGINT NOT NULL,
            decided_at BIGINT NOT NULL,
            outcome TEXT NOT NULL,
            available BIGINT NOT NULL,
            trigger_credits BIGINT,
            message TEXT NOT NULL,
            top_up_id {uuid},
            {whole available}PRIMARY KEY (account_id, id)
        )",
        "CREATE INDEX top_up_decision_created ON top_up_decision (account_id, created_at, id)",
    ],
    down: &["DROP TABLE top_up_decision"],
};
