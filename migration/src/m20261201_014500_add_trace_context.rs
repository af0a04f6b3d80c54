//! The trace that an attempt to charge belongs to. The worker that makes the attempt continues it.

use crate::ddl::SqlMigration;

pub(crate) const MIGRATION: SqlMigration = SqlMigration {
    file: file!(),
    up: &["ALTER TABLE top_up_attempt ADD COLUMN trace_context TEXT"],
    down: &["ALTER TABLE top_up_attempt DROP COLUMN trace_context"],
};
