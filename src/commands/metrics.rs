//! Figures for operators, beside what a command does.

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::config::Settings;
use crate::http;

use super::Failure;

/// The listener for figures, if there is to be one.
pub(super) struct Metrics(Option<TcpListener>);

impl Metrics {
    /// Takes the port that the settings name.
    pub(super) async fn bind(settings: &Settings) -> Result<Self, Failure> {
        let Some(address) = settings.metrics_listen else {
            return Ok(Self(None));
        };
        let listener = TcpListener::bind(address)
            .await
            .map_err(|reason| format!("cannot listen on {address} for metrics.listen: {reason}"))?;
        tracing::info!(address = %listener.local_addr()?, "figures are at /metrics");
        Ok(Self(Some(listener)))
    }

    /// Answers until told to stop.
    pub(super) fn serve(self, app: &App, stop: CancellationToken) -> Option<JoinHandle<std::io::Result<()>>> {
        let listener = self.0?;
        let metrics = http::Metrics::new(app.services().clone(), app.seats().clone());
        Some(tokio::spawn(metrics.serve(listener, stop.cancelled_owned())))
    }
}

/// Waits until nobody reads figures any more.
pub(super) async fn end(serving: Option<JoinHandle<std::io::Result<()>>>) -> Result<(), Failure> {
    if let Some(serving) = serving {
        serving.await??;
    }
    Ok(())
}
