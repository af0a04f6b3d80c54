//! `ledgerbell serve`: the HTTP server and the workers.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Args;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::adapters::database;
use crate::app::{self, App};
use crate::config::Settings;
use crate::http;
use crate::primitives::clock::Clock;
use crate::workers::Workers;

use super::metrics::{self, Metrics};
use super::{Ending, Failure, StopSignal, start_logging, stop_signal};

/// Serve the API, and do what is due.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Bring the schema up to date first.
    #[arg(long)]
    migrate: bool,
    /// Serve only: what is due is done by `ledgerbell worker`, which must run beside it.
    #[arg(long)]
    no_workers: bool,
}

pub(super) async fn run(command: &Serve, settings: &Settings) -> Ending {
    start_logging(settings);
    settings.check_for_serving()?;
    let settings = &super::within_open_files(settings);
    super::log_start("serve", settings);
    let mut server = Server::bind(settings).await?;
    server.has_workers = !command.no_workers;
    let _lock = app::lock(settings)?;
    if command.migrate {
        let database = app::open_database(settings).await?;
        database::migrate(&database).await?;
        database.close().await?;
    }
    let app = App::open(settings, Clock::system()).await?;
    super::check_clock(app.database()).await?;
    let url = server.url().to_owned();
    server
        .run(&app, settings, || {
            tracing::info!(%url, "serving");
            Ok(())
        })
        .await?;
    Ok(ExitCode::SUCCESS)
}

/// A server that has its port, but does not answer yet.
pub(super) struct Server {
    listener: TcpListener,
    metrics: Metrics,
    url: String,
    told_to_stop: StopSignal,
    /// Whether it also does what is due.
    has_workers: bool,
}

impl Server {
    /// Takes the port, and heeds signals. Done before anything that takes long, so that a taken port is told at once and what is
    /// begun is ended.
    pub(super) async fn bind(settings: &Settings) -> Result<Self, Failure> {
        let address = settings.listen;
        let listener = TcpListener::bind(address).await.map_err(|reason| {
            format!("cannot listen on {address}: {reason} (another address: --listen 127.0.0.1:0)")
        })?;
        let bound = listener.local_addr()?;
        warn_of_network(settings, bound);
        Ok(Self {
            listener,
            metrics: Metrics::bind(settings).await?,
            url: url_of(bound),
            told_to_stop: stop_signal()?,
            has_workers: true,
        })
    }

    /// Where it is reached from this machine.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Answers, and runs the workers if it has any, until told to stop; then ends what was begun and closes the application.
    pub(super) async fn run(
        self,
        app: &App,
        settings: &Settings,
        ready: impl FnOnce() -> std::io::Result<()>,
    ) -> Result<(), Failure> {
        let stop = CancellationToken::new();
        let links = settings.public_url.as_deref().unwrap_or(&self.url);
        let door = app.door(settings, links);
        let workers = if self.has_workers {
            Workers::start(app.services())
        } else {
            Workers::start_own(app.services())
        };
        let delivering = tokio::spawn(app.clone().keep_delivering(stop.clone()));
        let serving = tokio::spawn(http::serve(self.listener, door, stop.clone().cancelled_owned()));
        let measuring = self.metrics.serve(app, stop.clone());
        let told = match ready() {
            Ok(()) => {
                self.told_to_stop.await;
                Ok(())
            }
            told => told,
        };
        tracing::info!("stopping");
        stop.cancel();
        super::end_in_time(settings, async {
            // Turns of workers end while requests do.
            let (served, ()) = tokio::join!(serving, workers.stop());
            delivering.await?;
            metrics::end(measuring).await?;
            app.close().await?;
            told?;
            Ok(served??)
        })
        .await
    }
}

/// Warns where a server that is only fit for development listens for other machines.
pub(super) fn warn_of_network(settings: &Settings, bound: SocketAddr) {
    if !bound.ip().is_loopback()
        && let Some(danger) = settings.danger_on_network()
    {
        tracing::warn!(
            "DEVELOPMENT MODE ON {bound}, WHICH OTHER MACHINES CAN REACH: {danger}. Listen on 127.0.0.1, or set mode = \"production\""
        );
    }
}

/// An address that everybody listens on is reached by the local one.
pub(super) fn url_of(bound: SocketAddr) -> String {
    format!("http://{}", super::healthcheck::reachable(bound))
}
