//! `ledgerbell verify`: recomputes the ledger and reports what does not match.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;

use crate::adapters::{database, private_files};
use crate::app::{self, StartError};
use crate::config::Settings;
use crate::domain::ledger::verify::anchor::{self, Mark};
use crate::domain::ledger::verify::{self, MAX_DESCRIBED, Progress, VerifyReport};
use crate::primitives::credits::Credits;

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
}

pub(super) async fn run(command: &Verify, settings: &Settings) -> Ending {
    start_logging(settings);
    let database = app::open_database_to_read(settings).await?;
    if database::migrations_are_pending(&database).await? {
        return Err(StartError::NotMigrated.into());
    }
    let mut meter = Meter::new();
    let report = verify::verify(&database, |progress| meter.show(progress)).await?;
    meter.clear();
    let missing = match &command.anchor {
        Some(path) => anchor::missing(&database, &read_anchor(path)?).await?,
        None => Vec::new(),
    };
    let is_clean = report.is_clean() && missing.is_empty();
    if let Some(path) = command.write_anchor.as_ref().filter(|_| is_clean) {
        write_anchor(path, &anchor::marks(&database).await?)?;
    }
    database.close().await?;
    for line in &missing {
        say(line)?;
    }
    say(describe(&report).trim_end())?;
    Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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

pub(super) fn describe(report: &VerifyReport) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    for violation in &report.violations {
        let _ = writeln!(text, "{violation}");
    }
    if report.violation_count > report.violations.len() as u64 {
        let _ = writeln!(text, "… the first {MAX_DESCRIBED} of {}", report.violation_count);
    }
    let _ = writeln!(text, "trial balance");
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

/// Shows progress on standard error: in place on a terminal, otherwise as a line from time to time.
struct Meter {
    on_terminal: bool,
    every: Duration,
    shown_at: Instant,
}

impl Meter {
    fn new() -> Self {
        let on_terminal = std::io::stderr().is_terminal();
        let every = if on_terminal {
            Duration::from_millis(200)
        } else {
            Duration::from_secs(10)
        };
        Self {
            on_terminal,
            every,
            shown_at: Instant::now(),
        }
    }

    fn show(&mut self, progress: Progress) {
        if self.shown_at.elapsed() < self.every {
            return;
        }
        self.shown_at = Instant::now();
        let Progress {
            accounts,
            accounts_in_all,
            entries,
            violations,
        } = progress;
        let text = format!("{accounts} of {accounts_in_all} accounts, {entries} entries, {violations} violations");
        if self.on_terminal {
            eprint!("\r{text}\u{1b}[K");
        } else {
            eprintln!("{text}");
        }
    }

    fn clear(&self) {
        if self.on_terminal {
            eprint!("\r\u{1b}[K");
        }
    }
}
