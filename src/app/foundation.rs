//! What every role that changes the ledger has: the database, the ledger and the bell.

use std::sync::Arc;

use uuid::Uuid;

use crate::adapters::bus::{BusBell, BusSettings, Nats};
use crate::adapters::database;
use crate::config::Settings;
use crate::domain::database::Database;
use crate::domain::event::{Bell, Hub};
use crate::domain::fault::Fault;
use crate::domain::ledger::{EngineSettings, Ledger, LedgerSettings};
use crate::domain::member::{ApiKeys, open_installation};
use crate::domain::pulse::Pulse;
use crate::domain::retention::Retention;
use crate::primitives::clock::Clock;

use super::{StartError, open_migrated};

/// What every role that changes the ledger has.
pub(super) struct Foundation {
    pub(super) database: Database,
    /// The identity of the database.
    pub(super) epoch: Uuid,
    pub(super) hub: Hub,
    pub(super) pulse: Pulse,
    pub(super) bus_bell: Option<Arc<BusBell>>,
    pub(super) ledger: Ledger,
}

impl Foundation {
    pub(super) async fn start(database: Database, settings: &Settings, clock: &Clock) -> Result<Self, StartError> {
        let has_citus = database::has_citus(&database).await.map_err(Fault::from)?;
        let is_sharded = has_citus || settings.engine.accounts_per_transaction == 1;
        let database = if is_sharded { database.sharded() } else { database };
        let epoch = open_installation(&database, clock).await?.epoch;
        let ledger_settings = LedgerSettings {
            engine: engine_settings(&database, settings),
            policy: settings.policy,
        };
        let hub = Hub::new(database.clone());
        let pulse = Pulse::default();
        let bus_bell = match &settings.bus {
            BusSettings::None => None,
            BusSettings::Postgres { url: None } if database::is_behind_pooler(&database).await? => {
                return Err(StartError::BellBehindPooler);
            }
            BusSettings::Postgres { url } => {
                let url = url.as_ref().unwrap_or(&settings.database.url);
                Some(BusBell::over_postgres(url.reveal(), hub.clone(), pulse.clone()))
            }
            BusSettings::Nats(nats) => {
                let nats = Nats::open(nats, epoch).await?;
                Some(BusBell::over_nats(nats, hub.clone(), pulse.clone()))
            }
        };
        let bell: Arc<dyn Bell> = match &bus_bell {
            Some(bell) => Arc::clone(bell) as Arc<dyn Bell>,
            None => Arc::new(hub.clone()),
        };
        let ledger = Ledger::start(database.clone(), clock.clone(), epoch, ledger_settings, bell);
        Ok(Self {
            database,
            epoch,
            hub,
            pulse,
            bus_bell,
            ledger,
        })
    }

    async fn close(&self) -> Result<(), Fault> {
        end_ledger(&self.ledger, self.bus_bell.as_ref()).await;
        self.database.close().await
    }
}

/// Finishes waiting commands and stops notifying other processes.
pub(super) async fn end_ledger(ledger: &Ledger, bell: Option<&Arc<BusBell>>) {
    ledger.shutdown().await;
    if let Some(bell) = bell {
        bell.close().await;
    }
}

/// The API keys alone, for the operator's commands. They need no secret.
pub struct Keys {
    foundation: Foundation,
    api_keys: ApiKeys,
}

impl Keys {
    /// Opens the configured database, which must be migrated.
    pub async fn open(settings: &Settings, clock: Clock) -> Result<Self, StartError> {
        let foundation = Foundation::start(open_migrated(settings).await?, settings, &clock).await?;
        let api_keys = ApiKeys::new(clock, foundation.database.clone(), foundation.ledger.clone());
        Ok(Self { foundation, api_keys })
    }

    /// Returns the use cases about API keys.
    pub fn api_keys(&self) -> &ApiKeys {
        &self.api_keys
    }

    /// Closes the database.
    pub async fn close(&self) -> Result<(), Fault> {
        self.foundation.close().await
    }
}

/// The deletion of old rows alone, for the operator's command. It needs no secret.
pub struct Pruning {
    foundation: Foundation,
    retention: Retention,
}

impl Pruning {
    /// Opens the configured database, which must be migrated.
    pub async fn open(settings: &Settings, clock: Clock) -> Result<Self, StartError> {
        let foundation = Foundation::start(open_migrated(settings).await?, settings, &clock).await?;
        let database = foundation.database.clone();
        let retention = Retention::new((database, clock), foundation.ledger.clone(), settings.retention);
        Ok(Self { foundation, retention })
    }

    /// Returns the use cases.
    pub fn retention(&self) -> &Retention {
        &self.retention
    }

    /// Returns the database.
    pub fn database(&self) -> &Database {
        &self.foundation.database
    }

    /// Closes the database.
    pub async fn close(&self) -> Result<(), Fault> {
        self.foundation.close().await
    }
}

fn engine_settings(database: &Database, settings: &Settings) -> EngineSettings {
    let fitting = if database.has_one_writer() {
        EngineSettings::ONE_WRITER
    } else {
        EngineSettings::MANY_WRITERS
    };
    EngineSettings {
        lanes: settings.engine.lanes.or(fitting.lanes),
        ..settings.engine
    }
}
