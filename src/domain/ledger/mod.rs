//! Credits: the pure core, the posting engine, the credit log, sessions and lots.

pub mod credit_log;
pub mod lots;
pub mod model;
pub mod sessions;
