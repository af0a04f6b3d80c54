//! `ledgerbell backup` and `ledgerbell restore`: copies a SQLite database, and puts a copy in its place.
//!
//! Both verify the copy before it gets its name. A backup that does not verify is kept, because nothing better may exist; the command
//! fails, so that the operator notices it at once.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::adapters::database::{self, DatabaseCopy, OpenOptions};
use crate::app;
use crate::config::Settings;
use crate::domain::ledger::verify;

use super::verify::describe;
use super::{Ending, Failure, say, start_logging};

/// Copy the SQLite database into one file, while it is in use, and verify the copy. Exits 1 if it does not verify.
#[derive(Debug, Args)]
pub(super) struct Backup {
    /// The file to write. It must not exist.
    #[arg(value_name = "FILE")]
    to: PathBuf,
}

/// Verify a copy and put it into the place of the SQLite database, which must not exist. No server may run there.
#[derive(Debug, Args)]
pub(super) struct Restore {
    /// A file that `ledgerbell backup` has written.
    #[arg(value_name = "FILE")]
    from: PathBuf,
    /// Restore it although it does not verify, or an older version has written it.
    #[arg(long)]
    unverified: bool,
}

/// What is known of a copy.
enum Verified {
    Clean(String),
    /// The report.
    Violated(String),
    /// The number of migrations that it lacks.
    Older(usize),
}

pub(super) async fn run_backup(command: &Backup, settings: &Settings) -> Ending {
    let _collector = start_logging(settings)?;
    let copy = database::back_up(settings.database.url.reveal(), &command.to).await?;
    let verified = verify(&copy).await?;
    copy.keep()?;
    let file = command.to.display();
    match verified {
        Verified::Clean(text) => {
            say(&format!("copied into {file}; {text}"))?;
            Ok(ExitCode::SUCCESS)
        }
        Verified::Violated(report) => {
            say(&format!("copied into {file}, but it does not verify:\n{report}"))?;
            Ok(ExitCode::FAILURE)
        }
        Verified::Older(pending) => {
            say(&format!(
                "copied into {file}, but not verified: {pending} migrations are pending"
            ))?;
            Ok(ExitCode::FAILURE)
        }
    }
}

pub(super) async fn run_restore(command: &Restore, settings: &Settings) -> Ending {
    let _collector = start_logging(settings)?;
    // No server can start meanwhile.
    let _lock = app::lock(settings)?;
    let copy = database::restore(&command.from, settings.database.url.reveal()).await?;
    let file = command.from.display();
    let text = match verify(&copy).await? {
        Verified::Clean(text) => text,
        Verified::Violated(report) if command.unverified => format!("it does not verify:\n{report}"),
        Verified::Older(pending) if command.unverified => {
            format!("not verified: {pending} migrations are pending; run migrate, then verify")
        }
        Verified::Violated(report) => {
            return Err(format!("{file} does not verify; --unverified restores it nevertheless:\n{report}").into());
        }
        Verified::Older(pending) => {
            return Err(format!(
                "{file} lacks {pending} migrations, so it cannot be verified: restore it with the version that wrote it, or with \
                 --unverified, then run migrate and verify"
            )
            .into());
        }
    };
    copy.keep()?;
    say(&format!("restored from {file}; {text}"))?;
    Ok(ExitCode::SUCCESS)
}

async fn verify(copy: &DatabaseCopy) -> Result<Verified, Failure> {
    let opened = database::open_to_read(&copy.url(), OpenOptions::default()).await?;
    let pending = database::pending_migrations(&opened).await?;
    if pending > 0 {
        opened.close().await?;
        return Ok(Verified::Older(pending));
    }
    let report = verify::verify(&opened, |_| {}).await?;
    opened.close().await?;
    Ok(if report.is_clean() {
        let (entries, accounts) = (report.entries, report.accounts);
        Verified::Clean(format!("{entries} entries of {accounts} accounts verified"))
    } else {
        Verified::Violated(describe(&report).trim_end().to_owned())
    })
}
