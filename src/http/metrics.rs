//! Figures for operators, as Prometheus reads them: on a listener of its own, which clients do not reach.
//!
//! Called by `serve` and `worker`, when a setting says where. What this process has done since it began is counted as it happens;
//! what waits in the database is read when somebody asks, by a few statements that walk over open work alone, up to a bound.
//! One reading at a time: a monitor that is impatient does not become a load.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::{Registry, Unit};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::{Seats, security_headers};
use crate::domain::Services;
use crate::domain::backlog::{Queue, Stuck};
use crate::domain::fault::Fault;
use crate::domain::top_up::TopUpFigures;
use crate::primitives::clock::Timestamp;

/// Slower than this is no answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// What Prometheus reads: its own text format as it was made a standard.
const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Figures of one process and of its database.
pub struct Metrics {
    services: Services,
    seats: Seats,
    /// Whoever reads.
    reader: Semaphore,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// Of these services, and of these connections that stay open.
    pub fn new(services: Services, seats: Seats) -> Self {
        Self {
            services,
            seats,
            reader: Semaphore::new(1),
        }
    }

    /// Answers `GET /metrics` until `stop` resolves.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let routes = Router::new()
            .route("/metrics", get(show))
            .with_state(Arc::new(self))
            .layer(middleware::from_fn(security_headers::add));
        axum::serve(listener, routes).with_graceful_shutdown(stop).await
    }

    async fn read(&self) -> Result<String, Fault> {
        let services = &self.services;
        let top_ups = services.top_ups.figures().await?;
        let now = services.clock.now();
        let (queues, stuck) = (services.backlog.queues(now).await?, services.backlog.stuck(now).await?);
        let mut registry = Registry::with_prefix("ledgerbell");
        self.add_process(&mut registry, now);
        add_top_ups(&mut registry, &top_ups, now);
        add_backlog(&mut registry, &queues, stuck, now);
        let mut text = String::new();
        let written = encode(&mut text, &registry);
        written.map_err(|error| Fault::Internal(format!("figures cannot be written: {error}")))?;
        Ok(text)
    }

    /// What this process has done, and who is connected to it.
    fn add_process(&self, registry: &mut Registry, now: Timestamp) {
        let posting = self.services.ledger.totals();
        let compared = self.services.reconciler.totals();
        for (name, help, count) in [
            ("batches", "Transactions of the posting engine", posting.batches),
            (
                "postings",
                "Commands that were posted; by batches: the size of a batch",
                posting.posted,
            ),
            ("refusals", "Commands that were refused", posting.refused),
            (
                "posting_faults",
                "Commands that failed for a fault of ours",
                posting.failed,
            ),
            ("reconciler_runs", "Comparisons with the payment gateway", compared.runs),
            (
                "reconciler_broken_off",
                "Comparisons that broke off",
                compared.broken_off,
            ),
            (
                "reconciler_compared",
                "Objects of the payment gateway that were compared",
                compared.compared,
            ),
            (
                "reconciler_repaired",
                "Top-ups that a comparison has set right",
                compared.repaired,
            ),
            (
                "reconciler_raised",
                "Differences that somebody has to look at",
                compared.raised,
            ),
        ] {
            registry.register(name, help, ConstCounter::new(count));
        }
        if let Some(at) = compared.last_at {
            let help = "Since the last comparison with the payment gateway";
            registry.register_with_unit("reconciler_age", help, Unit::Seconds, seconds(at, now));
        }
        let sockets = i64::try_from(self.seats.taken()).unwrap_or(i64::MAX);
        let help = "Sockets and event streams that are open";
        registry.register("open_connections", help, ConstGauge::new(sockets));
    }
}

/// Purchases that are under way, of all processes.
fn add_top_ups(registry: &mut Registry, figures: &TopUpFigures, now: Timestamp) {
    let open = Family::<[(&'static str, &'static str); 1], Gauge>::default();
    for (status, count) in &figures.open {
        open.get_or_create(&[("status", status.as_str())]).set(*count);
    }
    registry.register(
        "open_top_ups",
        "Top-ups of which something may still come by itself",
        open,
    );
    let (help, unknown) = ("Charges that the payment gateway has not answered", &figures.unknown);
    registry.register("unknown_attempts", help, ConstGauge::new(unknown.count));
    let oldest = seconds(unknown.since.unwrap_or(now), now);
    let help = "How long the oldest of them has not been answered";
    registry.register_with_unit("unknown_attempts_age", help, Unit::Seconds, oldest);
}

/// What work is due and since when, by its queue, and what no worker will get done by itself; of all processes.
fn add_backlog(registry: &mut Registry, queues: &[Queue], stuck: Stuck, now: Timestamp) {
    let waiting = Family::<[(&'static str, &'static str); 1], Gauge>::default();
    let lag = Family::<[(&'static str, &'static str); 1], Gauge>::default();
    for queue in queues {
        waiting.get_or_create(&[("queue", queue.name)]).set(queue.waiting);
        lag.get_or_create(&[("queue", queue.name)]).set(queue.lag(now) / 1_000);
    }
    registry.register("work_due", "Work that is due, by its queue", waiting);
    registry.register_with_unit("work_lag", "How long the oldest of it has been due", Unit::Seconds, lag);
    for (name, help, count) in [
        (
            "parked_webhooks",
            "Webhooks that were given up until they are replayed",
            stuck.parked_webhooks,
        ),
        (
            "unsettled_charges",
            "Charges of which nobody has found out for a day what came of them",
            stuck.unsettled_charges,
        ),
        (
            "failed_refunds",
            "Refunds of the last 30 days that failed and were not asked for again",
            stuck.failed_refunds,
        ),
        (
            "lost_mails",
            "Mails whose sender has not been heard of",
            stuck.lost_mails,
        ),
    ] {
        registry.register(name, help, ConstGauge::new(count));
    }
}

fn seconds(since: Timestamp, now: Timestamp) -> ConstGauge<i64> {
    ConstGauge::new((now.millis() - since.millis()).max(0) / 1_000)
}

async fn show(State(metrics): State<Arc<Metrics>>) -> Response {
    let Ok(_turn) = metrics.reader.try_acquire() else {
        let soon = [(header::RETRY_AFTER, "1")];
        let text = "The figures are being read already.\n";
        return (StatusCode::SERVICE_UNAVAILABLE, soon, text).into_response();
    };
    // Plain reads: giving them up half-way leaves no transaction behind.
    match tokio::time::timeout(PATIENCE, metrics.read()).await {
        Ok(Ok(text)) => ([(header::CONTENT_TYPE, FORMAT)], text).into_response(),
        Ok(Err(fault)) => {
            tracing::warn!(%fault, "the figures cannot be read");
            unavailable()
        }
        Err(_) => {
            tracing::warn!("the figures take too long to read");
            unavailable()
        }
    }
}

fn unavailable() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "The figures cannot be read now.\n").into_response()
}
