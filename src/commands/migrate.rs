//! `ledgerbell migrate`: brings the schema up to date.

use std::process::ExitCode;

use clap::Args;

use crate::adapters::database;
use crate::app;
use crate::config::Settings;

use super::{Ending, say, start_logging};

/// Bring the schema of the database up to date.
#[derive(Debug, Args)]
pub(super) struct Migrate {}

pub(super) async fn run(_: &Migrate, settings: &Settings) -> Ending {
    start_logging(settings);
    let database = app::open_database(settings).await?;
    database::migrate(&database).await?;
    database.close().await?;
    say("the schema is up to date")?;
    Ok(ExitCode::SUCCESS)
}
