//! `ledgerbell copy`: copies a SQLite database into an empty Postgres database.
//!
//! No server starts on the target before its rows are compared with those of the source, and it is verified.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::adapters::database::{self, CopyProgress, CopyStep, OpenOptions};
use crate::config::Settings;
use crate::domain::ledger::verify;

use super::meter::Meter;
use super::verify::{describe, describe_progress};
use super::{Ending, Failure, say, start_logging};

/// The time limit for statements that read everything.
const LONGEST_LOOK: Duration = Duration::from_mins(2);

/// Copy a SQLite database into an empty Postgres database, compare all rows, and verify the copy. Run it again to continue a copy that
/// was interrupted. No server may run on either.
#[derive(Debug, Args)]
pub(super) struct Copy {
    /// sqlite://… of the source.
    #[arg(long, value_name = "URL")]
    from: String,
    /// postgres://… of an empty database. Its password can be in PGPASSWORD.
    #[arg(long, value_name = "URL")]
    to: String,
    /// Complete the copy although it does not verify, because the source does not.
    #[arg(long)]
    unverified: bool,
}

pub(super) async fn run(command: &Copy, settings: &Settings) -> Ending {
    let _collector = start_logging(settings)?;
    let mut meter = Meter::new();
    let copied = database::copy(&command.from, &command.to, |progress| {
        meter.show(|| describe_step(progress));
    });
    let copy = copied.await?;
    let verified = verify(&command.to, &mut meter).await;
    meter.clear();
    let text = match verified? {
        Ok(text) => text,
        Err(report) if command.unverified => format!("the copy does not verify:\n{report}"),
        Err(report) => {
            return Err(format!(
                "every row is copied, but the copy does not verify, because the source does not; --unverified completes it \
                 nevertheless:\n{report}"
            )
            .into());
        }
    };
    let mut lines = vec![format!("copied {} rows of {} tables; {text}", copy.rows, copy.tables)];
    if copy.rows_before > 0 {
        lines.push(format!(
            "{} rows were there from a copy that was interrupted",
            copy.rows_before
        ));
    }
    if !copy.left_out.is_empty() {
        lines.push(format!(
            "not copied, because they are not of ledgerbell: {}",
            copy.left_out.join(", ")
        ));
    }
    copy.finish().await?;
    for line in lines {
        say(&line)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn describe_step(progress: CopyProgress<'_>) -> String {
    let CopyProgress {
        step,
        table,
        rows,
        rows_in_all,
    } = progress;
    let done = match step {
        CopyStep::Copying => "copied",
        CopyStep::Comparing => "compared",
    };
    format!("{rows} of {rows_in_all} rows {done} ({table})")
}

/// Verifies the ledger in the copy. Returns a summary, or the report of what is wrong.
async fn verify(url: &str, meter: &mut Meter) -> Result<Result<String, String>, Failure> {
    let options = OpenOptions {
        statement_timeout: LONGEST_LOOK,
        ..OpenOptions::default()
    };
    let opened = database::open_to_read(url, options).await?;
    let verified = verify::verify(&opened, |progress| meter.show(|| describe_progress(progress))).await;
    opened.close().await?;
    let report = verified?;
    Ok(if report.is_clean() {
        let (entries, accounts) = (report.entries, report.accounts);
        Ok(format!("{entries} entries of {accounts} accounts verified"))
    } else {
        Err(describe(&report).trim_end().to_owned())
    })
}
