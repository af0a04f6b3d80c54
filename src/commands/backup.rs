//! `ledgerbell backup` and `ledgerbell restore`: copies a SQLite database, and puts a copy in its place.
//!
//! Both verify the copy before it gets its name: a copy that does not verify is of no use, and it is better to know that early.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::adapters::database::{self, OpenOptions, UnfinishedCopy};
use crate::config::Settings;
use crate::domain::ledger::verify;

use super::{Ending, Failure, say, start_logging};

/// Copy the SQLite database into one file, while it is in use. The copy is verified.
#[derive(Debug, Args)]
pub(super) struct Backup {
    /// The file to write. It must not exist.
    #[arg(value_name = "FILE")]
    to: PathBuf,
}

/// Put a copy into the place of the SQLite database, which must not exist. The copy is verified.
#[derive(Debug, Args)]
pub(super) struct Restore {
    /// A file that `ledgerbell backup` has written.
    #[arg(value_name = "FILE")]
    from: PathBuf,
}

pub(super) async fn run_backup(command: &Backup, settings: &Settings) -> Ending {
    start_logging(settings);
    let copy = database::back_up(settings.database.url.reveal(), &command.to).await?;
    let verified = check(&copy).await?;
    copy.keep()?;
    say(&format!("copied into {}: {verified}", command.to.display()))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn run_restore(command: &Restore, settings: &Settings) -> Ending {
    start_logging(settings);
    let copy = database::restore(&command.from, settings.database.url.reveal())?;
    let verified = check(&copy).await?;
    copy.keep()?;
    say(&format!("restored from {}: {verified}", command.from.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// Verifies a copy. Returns what was verified.
async fn check(copy: &UnfinishedCopy) -> Result<String, Failure> {
    let opened = database::open_to_read(&copy.url(), OpenOptions::default()).await?;
    let pending = database::pending_migrations(&opened).await?;
    if pending > 0 {
        // An older version has written it. This version verifies what its migrations make of it.
        opened.close().await?;
        return Ok(format!(
            "not verified, because {pending} migrations are pending: run migrate, then verify"
        ));
    }
    let report = verify::verify(&opened, |_| {}).await?;
    opened.close().await?;
    if !report.is_clean() {
        let text = format!(
            "{} violations were found, so the copy was removed: run ledgerbell verify on the original",
            report.violation_count
        );
        return Err(text.into());
    }
    Ok(format!(
        "{} entries of {} accounts verified",
        report.entries, report.accounts
    ))
}
