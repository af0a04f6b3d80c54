//! Which entries of the credit log an endpoint gets messages about.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &["ALTER TABLE webhook_endpoint ADD COLUMN entry_filter TEXT"],
    down: &["ALTER TABLE webhook_endpoint DROP COLUMN entry_filter"],
};
