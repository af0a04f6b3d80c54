//! Settings of the bus by which processes notify each other.

use serde::Deserialize;

use super::{ConfigError, Reader, Secret};
use crate::adapters::bus::{BusSettings, NatsSettings};

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum BusKind {
    None,
    Postgres,
    Nats,
}

#[derive(Deserialize)]
struct Given {
    kind: Option<BusKind>,
    postgres_url: Option<Secret>,
}

/// Returns the bus for this database. Refuses settings that contradict each other.
pub(super) fn read_bus(read: &Reader, database_url: &str) -> Result<BusSettings, ConfigError> {
    let Given { kind, postgres_url } = read.section("bus")?;
    let nats: NatsSettings = read.section("bus")?;
    let has_one_process = database_url.starts_with("sqlite:");
    let refuse = |text: &str| Err(ConfigError::Together(text.to_owned()));
    match kind {
        Some(BusKind::None) => Ok(BusSettings::None),
        None if has_one_process => Ok(BusSettings::None),
        Some(_) if has_one_process => {
            refuse("bus.kind is for several processes on one Postgres; a SQLite database has one process: remove it")
        }
        None | Some(BusKind::Postgres) => Ok(BusSettings::Postgres { url: postgres_url }),
        Some(BusKind::Nats) => match nats.contradiction() {
            Some(text) => refuse(text),
            None => Ok(BusSettings::Nats(nats)),
        },
    }
}
