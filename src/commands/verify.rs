//! `ledgerbell verify`: recomputes the ledger and says what does not match.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;

use crate::adapters::database;
use crate::app::{self, StartError};
use crate::config::Settings;
use crate::domain::ledger::verify::{self, MAX_DESCRIBED, Progress, VerifyReport};
use crate::primitives::credits::Credits;

use super::{Ending, say, start_logging};

/// Recompute every account's sums, chains, hashes, lots and holds. Exits 1 if anything does not match.
#[derive(Debug, Args)]
pub(super) struct Verify {}

pub(super) async fn run(_: &Verify, settings: &Settings) -> Ending {
    start_logging(settings);
    let database = app::open_database_to_read(settings).await?;
    if database::migrations_are_pending(&database).await? {
        return Err(StartError::NotMigrated.into());
    }
    let mut meter = Meter::new();
    let report = verify::verify(&database, |progress| meter.show(progress)).await?;
    meter.clear();
    database.close().await?;
    say(describe(&report).trim_end())?;
    Ok(if report.is_clean() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn describe(report: &VerifyReport) -> String {
    let mut text = String::new();
    // Writing to a text cannot fail.
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

/// Shows progress on standard error: in place on a terminal, else as a line now and then.
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
