//! `ledgerbell verify`: recomputes the ledger and reports what does not match.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use uuid::Uuid;

use crate::adapters::{database, private_files};
use crate::app::{self, StartError};
use crate::config::Settings;
use crate::domain::database::Database;
use crate::domain::ledger::verify::anchor::{self, Mark};
use crate::domain::ledger::verify::checkpoint::{Checkpoint, CheckpointKey};
use crate::domain::ledger::verify::{self, MAX_DESCRIBED, Progress, VerifyReport};
use crate::primitives::clock::{Clock, Timestamp};
use crate::primitives::credits::Credits;

use super::meter::Meter;
use super::{Ending, Failure, say, start_logging};

/// Recompute every account's sums, chains, hashes, lots and holds. Exits 1 if anything does not match.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Also check that the database contains what this file names. Detects a database that was restored to an earlier
    /// state.
    #[arg(long, value_name = "FILE")]
    anchor: Option<PathBuf>,
    /// Write such a file if there is no error. Keep it apart from the database.
    #[arg(long, value_name = "FILE")]
    write_anchor: Option<PathBuf>,
    /// Verify only what has changed since this checkpoint. Needs the secret that signed it.
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
    /// Write a checkpoint for the next verification if there is no error. It may replace the one that was read.
    #[arg(long, value_name = "FILE")]
    write_checkpoint: Option<PathBuf>,
}

pub(super) async fn run(command: &Verify, settings: &Settings) -> Ending {
    let _collector = start_logging(settings)?;
    let database = app::open_database_to_read(settings).await?;
    if database::migrations_are_pending(&database).await? {
        return Err(StartError::NotMigrated.into());
    }
    let checkpoints = Checkpoints::open(command, settings, &database).await?;
    let mut next = checkpoints.next();
    let mut meter = Meter::new();
    let report = verify::verify_since(&database, checkpoints.since.as_ref(), &mut next, |progress| {
        meter.show(|| describe_progress(progress));
    });
    let report = report.await?;
    meter.clear();
    let missing = match &command.anchor {
        Some(path) => anchor::missing(&database, &read_anchor(path)?).await?,
        None => Vec::new(),
    };
    let is_clean = report.is_clean() && missing.is_empty();
    if let Some(path) = command.write_anchor.as_ref().filter(|_| is_clean) {
        write_anchor(path, &anchor::marks(&database).await?)?;
    }
    if is_clean {
        checkpoints.write(&next)?;
    }
    database.close().await?;
    for line in &missing {
        say(line)?;
    }
    say(describe(&report).trim_end())?;
    if let Some(since) = &checkpoints.since {
        let (unchanged, whole_at) = (report.unchanged, since.whole_at);
        say(&format!(
            "{unchanged} accounts have not changed since the checkpoint; everything was last verified at {whole_at}"
        ))?;
    }
    Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The checkpoints that a verification reads and writes.
struct Checkpoints<'a> {
    database: Uuid,
    /// When this verification began.
    now: Timestamp,
    since: Option<Checkpoint>,
    /// The file to write, and the key that signs it.
    write: Option<(&'a Path, CheckpointKey)>,
}

impl<'a> Checkpoints<'a> {
    async fn open(command: &'a Verify, settings: &Settings, database: &Database) -> Result<Self, Failure> {
        let mut opened = Self {
            database: verify::identity(database).await?,
            now: Clock::system().now(),
            since: None,
            write: None,
        };
        if command.since.is_none() && command.write_checkpoint.is_none() {
            return Ok(opened);
        }
        let key = CheckpointKey::derive(settings.secret()?.reveal().as_bytes());
        if let Some(path) = &command.since {
            let failed = |reason: String| format!("cannot use the checkpoint {}: {reason}", path.display());
            let text = std::fs::read_to_string(path).map_err(|reason| failed(reason.to_string()))?;
            let since =
                Checkpoint::of_text(&text, &key, opened.database).map_err(|reason| failed(reason.to_string()))?;
            opened.since = Some(since);
        }
        opened.write = command.write_checkpoint.as_deref().map(|path| (path, key));
        Ok(opened)
    }

    /// Returns the checkpoint that this verification fills.
    fn next(&self) -> Checkpoint {
        let whole_at = self.since.as_ref().map_or(self.now, |since| since.whole_at);
        Checkpoint::new(self.database, whole_at)
    }

    fn write(&self, next: &Checkpoint) -> Result<(), Failure> {
        let Some((path, key)) = &self.write else {
            return Ok(());
        };
        private_files::write(path, next.to_text(key).as_bytes())
            .map_err(|reason| format!("cannot write the checkpoint {}: {reason}", path.display()).into())
    }
}

fn read_anchor(path: &Path) -> Result<Vec<Mark>, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|reason| format!("cannot read the anchor {}: {reason}", path.display()))?;
    let marks = (1..).zip(text.lines()).map(|(number, line)| {
        let wrong = || {
            format!(
                "line {number} of the anchor {} is not `account sequence hash`",
                path.display()
            )
            .into()
        };
        Mark::from_line(line).ok_or_else(wrong)
    });
    marks.collect()
}

fn write_anchor(path: &Path, marks: &[Mark]) -> Result<(), Failure> {
    let text: String = marks.iter().map(|mark| mark.to_line() + "\n").collect();
    private_files::write(path, text.as_bytes())
        .map_err(|reason| format!("cannot write the anchor {}: {reason}", path.display()).into())
}

pub(super) fn describe_progress(progress: Progress) -> String {
    let Progress {
        accounts,
        accounts_in_all,
        entries,
        violations,
    } = progress;
    format!("{accounts} of {accounts_in_all} accounts, {entries} entries, {violations} violations")
}

pub(super) fn describe(report: &VerifyReport) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    for violation in &report.violations {
        let _ = writeln!(text, "{violation}");
    }
    if report.violation_count > report.violations.len() as u64 {
        let _ = writeln!(text, "… the first {MAX_DESCRIBED} of {}", report.violation_count);
    }
    let of = if report.unchanged > 0 {
        " of the accounts that have changed"
    } else {
        ""
    };
    let _ = writeln!(text, "trial balance{of}");
    for (contra, units) in &report.trial_balance {
        let amount = i64::try_from(*units).map_or_else(
            |_| format!("{units}/10000"),
            |units| Credits::from_units(units).to_string(),
        );
        let _ = writeln!(text, "  {contra:<16} {amount:>20}");
    }
    let _ = writeln!(
        text,
        "{} entries of {} accounts checked, {} violations",
        report.entries, report.accounts, report.violation_count
    );
    text
}
