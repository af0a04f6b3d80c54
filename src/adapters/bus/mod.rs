//! How the processes of one installation tell each other that there are new events.
//!
//! Called by `app`, which chooses by the database. A SQLite database has one process that serves, whose hub is all the bell it
//! needs; see [`crate::domain::event`].

mod postgres;

pub use postgres::{PostgresBell, hear};
