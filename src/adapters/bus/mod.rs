//! Notifies the processes of one installation of new events.
//!
//! Called by `app`, which chooses by the database. A SQLite database has one serving process, whose hub is the only bell it
//! needs; see [`crate::domain::event`].

mod postgres;

use serde::Deserialize;

use crate::primitives::secret::Secret;

pub use postgres::{PostgresBell, hear};

/// How the processes notify each other.
#[derive(Clone, Debug, Deserialize)]
pub struct BellSettings {
    /// Whether they do so, where the database supports it.
    #[serde(rename = "bell")]
    pub rings_others: bool,
    /// The database URL for these notifications, if it differs from the database's.
    #[serde(rename = "bell_url")]
    pub url: Option<Secret>,
}
