//! The payment gateway's objects, and the top-ups that they belong to. Global: a webhook names the object, not the account.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &["CREATE TABLE gateway_object (
            gateway TEXT NOT NULL,
            object_id TEXT NOT NULL,
            account_id BIGINT NOT NULL,
            top_up_id {uuid} NOT NULL,
            created_at BIGINT NOT NULL,
            PRIMARY KEY (gateway, object_id)
        ) {clustered}"],
    down: &["DROP TABLE gateway_object"],
};
