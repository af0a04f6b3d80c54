//! `ledgerbell prune`: deletes what is older than the settings of `retention` allow.

use std::process::ExitCode;

use clap::Args;

use crate::app::Pruning;
use crate::config::Settings;
use crate::domain::retention::Pruned;
use crate::primitives::clock::Clock;

use super::{Ending, say, start_logging};

/// Delete the rows that are older than the settings of `retention` allow: read events, processed webhooks and results of
/// idempotency keys. A worker does the same every day.
#[derive(Debug, Args)]
pub(super) struct Prune {}

pub(super) async fn run(_: &Prune, settings: &Settings) -> Ending {
    let _collector = start_logging(settings)?;
    let pruning = Pruning::open(settings, Clock::system()).await?;
    super::check_clock(pruning.database()).await?;
    let mut all = Pruned::default();
    let (mut failed, mut place) = (0, None);
    let pruned = loop {
        match pruning.retention().turn(place).await {
            Ok(turn) => {
                all += turn.pruned;
                failed += turn.failed;
                place = turn.next;
                if place.is_none() {
                    break Ok(());
                }
            }
            Err(fault) => break Err(fault),
        }
    };
    pruning.close().await?;
    pruned?;
    say(&all.to_string())?;
    if failed > 0 {
        say(&format!(
            "of {failed} accounts the rows could not be deleted: see the log, and run it again"
        ))?;
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
