//! Notifies the processes of one installation of new events.
//!
//! Called by `app`, which chooses by the database. A SQLite database has one serving process, whose hub is the only bell it
//! needs; see [`crate::domain::event`].

mod postgres;

pub use postgres::{PostgresBell, hear};
