//! Notifies the processes of one installation of new events: by LISTEN and NOTIFY of Postgres, or by NATS.
//!
//! Called by `app`, which chooses by the settings. A SQLite database has one serving process, whose hub is the only bell it
//! needs; see [`crate::domain::event`]. Invariant: nothing depends on a message that arrives. What a bus loses is found by polling.

mod bell;
mod nats;
mod postgres;
mod rings;

use crate::primitives::secret::Secret;

pub use bell::BusBell;
pub use nats::{Nats, NatsError, NatsSettings, hear as hear_nats, is_server as is_nats_server, is_subject};
pub use postgres::hear as hear_postgres;

/// How the processes notify each other.
#[derive(Clone, Debug)]
pub enum BusSettings {
    /// Not at all: each polls the database.
    None,
    /// By LISTEN and NOTIFY.
    Postgres {
        /// The database URL for these notifications, if it differs from the database's.
        url: Option<Secret>,
    },
    /// By messages of NATS.
    Nats(NatsSettings),
}
