//! `ledgerbell worker`: the workers without the HTTP server, for installations that scale the two separately.

use std::process::ExitCode;

use clap::Args;
use tokio_util::sync::CancellationToken;

use crate::app::{self, App};
use crate::config::Settings;
use crate::primitives::clock::Clock;
use crate::workers::Workers;

use super::metrics::{self, Metrics};
use super::{Ending, start_logging, stop_signal};

/// Run the workers without serving the API.
#[derive(Debug, Args)]
pub(super) struct Worker {}

pub(super) async fn run(_: &Worker, settings: &Settings) -> Ending {
    let _collector = start_logging(settings)?;
    settings.check_for_serving()?;
    super::log_start("worker", settings);
    super::within_open_files(settings);
    let told_to_stop = stop_signal()?;
    let _lock = app::lock(settings)?;
    let metrics = Metrics::bind(settings).await?;
    let app = App::open(settings, Clock::system()).await?;
    super::check_clock(app.database()).await?;
    let workers = Workers::start(app.services());
    let stop = CancellationToken::new();
    let measuring = metrics.serve(&app, stop.clone());
    tracing::info!("working");
    told_to_stop.await;
    tracing::info!("stopping");
    stop.cancel();
    super::end_in_time(settings, async {
        workers.stop().await;
        metrics::end(measuring).await?;
        Ok(app.close().await?)
    })
    .await?;
    Ok(ExitCode::SUCCESS)
}
