//! What the reading rooms answer, compared with a naive reading of the same rows, on both databases.
//!
//! Rows are put into the tables in bulk, past the use cases: these tests are about reading alone, and about more rows than posting
//! would make in time. Everything is read through the public services.

pub(crate) mod ground;
mod log;
pub(crate) mod rows;
mod sessions;
mod top_ups;
mod usage;
mod words;
