//! Credits: the pure core, the posting engine, the credit log, sessions and lots.

pub mod model;
