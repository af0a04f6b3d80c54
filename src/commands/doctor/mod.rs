//! `ledgerbell doctor`: finds problems of this installation and recommends what to do.
//!
//! It only reads, so it can run on a production system at any time, with or without running servers. Each check has a time limit
//! and prints one line. The output names settings and never contains secrets.
//!
//! Exits with 0 if there is no problem, 1 if there are warnings, 2 if something does not work.

mod checks;
mod report;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::adapters::database::{self, OpenError, OpenOptions};
use crate::config::Settings;
use crate::domain::database::{Database, Trouble};
use crate::primitives::clock::Clock;

use super::{Ending, SettingsFlags, say};

use report::{Check, Report};

/// The time limit of each check.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The number of database connections that it uses.
const CONNECTIONS: u32 = 2;

/// Check the database, workers, payment gateway, mail and disk, and print what to do. Changes nothing. Exits 0 when there is no
/// problem, 1 when there are warnings, 2 when something does not work.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Print one JSON object instead of human-readable lines.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(command: &Doctor, given: &SettingsFlags) -> Ending {
    let report = match given.load() {
        Ok(settings) => Box::pin(examine(&settings)).await,
        Err(wrong) => Report::of(vec![Check::failed(
            "settings",
            wrong.to_string(),
            "correct this setting: the server does not start before",
        )]),
    };
    say(&if command.json {
        report.to_json()
    } else {
        report.to_text()
    })?;
    Ok(ExitCode::from(report.exit_code()))
}

async fn examine(settings: &Settings) -> Report {
    let ((mut found, bell), server, gateway, mail, issuer) = tokio::join!(
        async { tokio::join!(of_database(settings), within("bell", checks::bell(settings))) },
        within("server", checks::server(settings)),
        within("gateway", checks::gateway(settings)),
        within("mail", checks::mail(settings)),
        within("issuer", checks::issuer(settings)),
    );
    let mut all = vec![
        checks::settings(settings),
        checks::secrets(settings),
        checks::encryption(settings),
    ];
    all.append(&mut found);
    all.extend([bell, server, gateway, mail, issuer]);
    all.extend([checks::disk(Path::new(&settings.data_dir)), checks::files(settings)]);
    Report::of(all)
}

/// Runs a check that is canceled after [`TIMEOUT`].
async fn within(name: &'static str, check: impl Future<Output = Check>) -> Check {
    tokio::time::timeout(TIMEOUT, Box::pin(check))
        .await
        .unwrap_or_else(|_| gave_up(name))
}

fn gave_up(name: &'static str) -> Check {
    Check::failed(
        name,
        format!("no answer within {} seconds", TIMEOUT.as_secs()),
        "check that it is reachable from this machine and not overloaded",
    )
}

/// Checks the database, and what its rows show.
async fn of_database(settings: &Settings) -> Vec<Check> {
    let options = OpenOptions {
        max_connections: CONNECTIONS,
        readers: CONNECTIONS,
        ..OpenOptions::default()
    };
    let opening = database::open_to_read(settings.database.url.reveal(), options);
    let opened = match tokio::time::timeout(TIMEOUT, opening).await {
        Ok(Ok(opened)) => opened,
        Ok(Err(error)) => {
            let trouble = match &error {
                OpenError::Refused(error) => Trouble::of(error),
                _ => None,
            };
            let usual = "check that database.url is correct, the database server runs, and it accepts this user; a new installation begins with `ledgerbell migrate`";
            // A database that does not exist is most likely the wrong one.
            let trouble = trouble.filter(|trouble| *trouble != Trouble::CannotOpen);
            let advice = trouble.map_or(usual, Trouble::advice);
            return vec![Check::failed(
                "database",
                format!("{}: {error}", settings.database_shown()),
                advice,
            )];
        }
        Err(_) => return vec![gave_up("database")],
    };
    let found = look_at(&opened, settings).await;
    // The connection was only read from, so a failure to close it loses nothing.
    let _ = opened.close().await;
    found
}

async fn look_at(database: &Database, settings: &Settings) -> Vec<Check> {
    let mut found = vec![within("database", checks::database(database)).await];
    if !found[0].is_ok() {
        return found;
    }
    found.push(within("durability", checks::durability(database)).await);
    let clock = Clock::system();
    found.push(within("clock", checks::clock(database, &clock)).await);
    let migrations = within("migrations", checks::migrations(database)).await;
    let is_migrated = migrations.is_ok();
    found.push(migrations);
    // The rows of another schema cannot be queried.
    if is_migrated {
        found.extend(checks::work(database, clock.now()).await);
        found.push(within("stuck", checks::stuck(database, clock.now())).await);
        if let Some(url) = &settings.database.replica_url {
            found.push(within("replica", checks::replica(database, url, settings)).await);
        }
    }
    found
}
