//! Compares the results of the reading modules with a simple reading of the same rows, on both databases.
//!
//! Rows are inserted in bulk without the use cases: these tests are about reading only, and need more rows than postings could
//! create in time. Everything is read through the public services.

pub(crate) mod ground;
mod keys;
pub(crate) mod log;
mod pages;
pub(crate) mod rows;
mod sessions;
mod top_ups;
mod usage;
mod words;
