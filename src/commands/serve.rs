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

/// Serve the API, and run the workers.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Bring the schema up to date first.
    #[arg(long)]
    migrate: bool,
    /// Serve only. Then `ledgerbell worker` must run separately.
    #[arg(long)]
    no_workers: bool,
}

pub(super) async fn run(command: &Serve, settings: &Settings) -> Ending {
    let _collector = start_logging(settings)?;
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

/// A server whose port is bound, but which does not respond yet.
pub(super) struct Server {
    listener: TcpListener,
    metrics: Metrics,
    url: String,
    stop_requested: StopSignal,
    /// Whether it also runs the workers.
    has_workers: bool,
}

impl Server {
    /// Binds the port and listens for signals. Called before any long step: a port in use is reported at once, and started work
    /// is ended in order.
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
            stop_requested: stop_signal()?,
            has_workers: true,
        })
    }

    /// Returns the URL of the server from this machine.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Serves, and runs the workers if there are any, until the process must stop. Then ends what was started, and closes
    /// the application.
    pub(super) async fn run(
        self,
        app: &App,
        settings: &Settings,
        ready: impl FnOnce() -> std::io::Result<()>,
    ) -> Result<(), Failure> {
        let stop = CancellationToken::new();
        let links = settings.public_url.as_deref().unwrap_or(&self.url);
        let http_state = app.http_state(settings, links);
        let workers = if self.has_workers {
            Workers::start(app.services())
        } else {
            Workers::start_own(app.services())
        };
        let delivering = tokio::spawn(app.clone().keep_delivering(stop.clone()));
        let serving = tokio::spawn(http::serve(self.listener, http_state, stop.clone().cancelled_owned()));
        let measuring = self.metrics.serve(app, stop.clone());
        let ready = match ready() {
            Ok(()) => {
                self.stop_requested.await;
                Ok(())
            }
            ready => ready,
        };
        tracing::info!("stopping");
        stop.cancel();
        super::end_in_time(settings, async {
            // Workers and requests end at the same time.
            let (served, ()) = tokio::join!(serving, workers.stop());
            delivering.await?;
            metrics::end(measuring).await?;
            app.close().await?;
            ready?;
            Ok(served??)
        })
        .await
    }
}

/// Warns if a server that is safe only for development listens for other machines.
pub(super) fn warn_of_network(settings: &Settings, bound: SocketAddr) {
    if !bound.ip().is_loopback()
        && let Some(danger) = settings.danger_on_network()
    {
        tracing::warn!(
            "DEVELOPMENT MODE ON {bound}, WHICH OTHER MACHINES CAN REACH: {danger}. Listen on 127.0.0.1, or set mode = \"production\""
        );
    }
}

/// Returns a URL for an address. An address that covers all interfaces is replaced by the local one.
pub(super) fn url_of(bound: SocketAddr) -> String {
    format!("http://{}", super::healthcheck::reachable(bound))
}
