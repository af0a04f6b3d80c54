//! Serves metrics for operators while a command runs.

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::config::Settings;

use super::Failure;

/// The listener for metrics; `None` if no setting names one.
pub(super) struct Metrics(Option<TcpListener>);

impl Metrics {
    /// Binds the port that the settings name.
    pub(super) async fn bind(settings: &Settings) -> Result<Self, Failure> {
        let Some(address) = settings.metrics_listen else {
            return Ok(Self(None));
        };
        let listener = TcpListener::bind(address)
            .await
            .map_err(|reason| format!("cannot listen on {address} for metrics.listen: {reason}"))?;
        tracing::info!(address = %listener.local_addr()?, "metrics are served at /metrics");
        Ok(Self(Some(listener)))
    }

    /// Serves until `stop` is canceled.
    pub(super) fn serve(self, app: &App, stop: CancellationToken) -> Option<JoinHandle<std::io::Result<()>>> {
        let listener = self.0?;
        Some(tokio::spawn(app.metrics().serve(listener, stop.cancelled_owned())))
    }
}

/// Waits until the last reader of metrics is served.
pub(super) async fn end(serving: Option<JoinHandle<std::io::Result<()>>>) -> Result<(), Failure> {
    if let Some(serving) = serving {
        serving.await??;
    }
    Ok(())
}
