//! The payment gateway's customers.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &["CREATE TABLE payment_customer (
            account_id BIGINT NOT NULL,
            gateway TEXT NOT NULL,
            customer_id TEXT NOT NULL,
            created_at BIGINT NOT NULL,
            PRIMARY KEY (account_id, gateway)
        ) {clustered}"],
    down: &["DROP TABLE payment_customer"],
};
