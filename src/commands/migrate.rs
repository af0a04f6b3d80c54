//! `ledgerbell migrate`: brings the schema up to date, and distributes its tables where asked to.

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::adapters::database;
use crate::app;
use crate::config::Settings;

use super::{Ending, say, start_logging};

/// Bring the schema of the database up to date.
#[derive(Debug, Args)]
pub(super) struct Migrate {
    /// How the tables are stored.
    #[arg(long, value_enum, default_value_t = Profile::Single)]
    profile: Profile,
}

/// How the tables are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Profile {
    /// On one server.
    Single,
    /// Distributed by account over the servers of a Citus cluster. The database is that of its coordinator.
    Citus,
}

pub(super) async fn run(command: &Migrate, settings: &Settings) -> Ending {
    let _collector = start_logging(settings)?;
    let database = app::open_database(settings).await?;
    // Before anything changes.
    let citus = match command.profile {
        Profile::Single => None,
        Profile::Citus => Some(database::Citus::find(&database).await?),
    };
    database::migrate(&database).await?;
    if let Some(citus) = citus {
        let tables = citus.distribute().await?;
        say(&format!("{} tables were distributed", tables.len()))?;
    }
    database.close().await?;
    say("the schema is up to date")?;
    Ok(ExitCode::SUCCESS)
}
