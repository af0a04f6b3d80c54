//! Serves metrics for operators in the format of Prometheus, on a separate listener that clients do not reach.
//!
//! `serve` and `worker` call it if a setting names an address. Events in this process are counted when they happen.
//!
//! A few statements read the state of the database, at most once in five seconds. They scan only pending work, up to a limit.
//! Metrics of the process are always returned. Those of the database are left out while it does not respond.
//!
//! The same listener serves the health paths, because `worker` has no other listener.

use std::collections::HashSet;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::{Registry, Unit};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use super::health::LATE;
use super::histograms::Histograms;
use super::{LiveConnections, Traffic, security_headers};
use crate::domain::Services;
use crate::domain::backlog::{Queue, Stuck};
use crate::domain::database::PoolUsage;
use crate::domain::fault::Fault;
use crate::domain::top_up::TopUpFigures;
use crate::primitives::clock::{Clock, Timestamp};

/// The time limit for the database.
const TIMEOUT: Duration = Duration::from_secs(3);
/// How long figures of the database are reused for all readers.
const FRESH: Duration = Duration::from_secs(5);
/// The format that Prometheus requests: `OpenMetrics`.
const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The format for all other readers: the text format before `OpenMetrics`, which tools such as promtool read.
const OLDER_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Metrics of one process and of its database.
pub struct Metrics {
    services: Services,
    live_connections: LiveConnections,
    traffic: Traffic,
    fresh: Duration,
    /// The figures of the last read of the database, if it succeeded.
    kept: Mutex<Option<(Instant, Option<Figures>)>>,
}

/// Figures that the database holds.
#[derive(Clone)]
struct Figures {
    top_ups: TopUpFigures,
    queues: Vec<Queue>,
    stuck: Stuck,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// Creates the metrics of these services, of these connections that stay open, and of these requests.
    pub fn new(services: Services, live_connections: LiveConnections, traffic: Traffic) -> Self {
        Self {
            services,
            live_connections,
            traffic,
            fresh: FRESH,
            kept: Mutex::default(),
        }
    }

    /// Returns the same metrics, with figures of the database that are reused for this time.
    #[must_use]
    pub fn fresh_for(self, fresh: Duration) -> Self {
        Self { fresh, ..self }
    }

    /// Serves `GET /metrics` and the health paths of the clients' listener, until `stop` resolves.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let health = super::health(self.services.clone());
        let routes = Router::new()
            .route("/metrics", get(show))
            .with_state(Arc::new(self))
            .merge(health)
            .layer(middleware::from_fn(security_headers::add));
        axum::serve(listener, routes).with_graceful_shutdown(stop).await
    }

    async fn text(&self) -> Result<String, std::fmt::Error> {
        let figures = self.figures().await;
        let now = self.services.clock.now();
        let mut registry = Registry::with_prefix("ledgerbell");
        self.add_process(&mut registry, now);
        self.add_durations(&mut registry);
        self.add_pools(&mut registry);
        self.add_database(&mut registry, figures.is_some());
        if let Some(figures) = &figures {
            add_top_ups(&mut registry, &figures.top_ups, now);
            add_backlog(&mut registry, &figures.queues, figures.stuck, now);
        }
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }

    /// Returns the figures of the database, read once for all waiting readers; `None` while it does not
    /// respond.
    async fn figures(&self) -> Option<Figures> {
        let mut kept = self.kept.lock().await;
        if let Some((at, figures)) = &*kept
            && at.elapsed() < self.fresh
        {
            return figures.clone();
        }
        // These are plain reads: cancelling them leaves no transaction open.
        let figures = match tokio::time::timeout(TIMEOUT, self.read()).await {
            Ok(Ok(figures)) => Some(figures),
            Ok(Err(fault)) => {
                tracing::warn!(%fault, "figures of the database cannot be read");
                None
            }
            Err(_) => {
                tracing::warn!("figures of the database take too long to read");
                None
            }
        };
        *kept = Some((Instant::now(), figures.clone()));
        figures
    }

    async fn read(&self) -> Result<Figures, Fault> {
        let services = &self.services;
        let now = services.clock.now();
        Ok(Figures {
            top_ups: services.top_ups.figures().await?,
            queues: services.backlog.queues(now).await?,
            stuck: services.backlog.stuck(now).await?,
        })
    }

    /// Adds the errors of the database that this process has met.
    fn add_database(&self, registry: &mut Registry, was_read: bool) {
        let health = &self.services.database;
        let troubles = Family::<[(&'static str, &'static str); 1], Counter>::default();
        for (trouble, count) in health.troubles() {
            troubles.get_or_create(&[("trouble", trouble.name())]).inc_by(count);
        }
        let help = "Errors of the database that are not the fault of a request, by their kind";
        registry.register("database_troubles", help, troubles);
        let help = "Jumps of the machine's clock ahead by minutes, which were not followed at once";
        registry.register("clock_jumps", help, ConstCounter::new(Clock::jumps()));
        let help = "Connections that were closed because they were not known to be clean";
        let closed = ConstCounter::new(health.closed_connections());
        registry.register("database_connections_closed", help, closed);
        let help = "Whether the last write was committed";
        let works = ConstGauge::new(i64::from(health.trouble().is_none()));
        registry.register("database_takes_writes", help, works);
        let help = "Whether the figures of the database are part of this answer";
        registry.register("database_figures", help, ConstGauge::new(i64::from(was_read)));
        let turns = Family::<[(&'static str, &'static str); 1], Gauge>::default();
        let successes = Family::<[(&'static str, &'static str); 1], Gauge>::default();
        let lates = Family::<[(&'static str, &'static str); 1], Gauge>::default();
        let late = self.services.pulse.late(LATE);
        let age = |at: Option<Instant>| at.map_or(-1, |at| i64::try_from(at.elapsed().as_secs()).unwrap_or(i64::MAX));
        for (name, beat) in self.services.pulse.all() {
            turns.get_or_create(&[("worker", name)]).set(age(beat.last_turn));
            successes.get_or_create(&[("worker", name)]).set(age(beat.last_success));
            lates
                .get_or_create(&[("worker", name)])
                .set(i64::from(late.contains(&name)));
        }
        let help = "Seconds since a worker last finished a run; -1 before its first";
        registry.register_with_unit("worker_last_turn", help, Unit::Seconds, turns);
        let help = "Seconds since a run of a worker last succeeded; -1 before the first success";
        registry.register_with_unit("worker_last_success", help, Unit::Seconds, successes);
        let help = "Whether /health/ready answers 503 because of a worker";
        registry.register("worker_late", help, lates);
    }

    /// Adds how long requests, live messages and bells take, and how large batches are.
    fn add_durations(&self, registry: &mut Registry) {
        let help = "Time until the response to a request or to an operation on a socket, by the kind of operation";
        let requests = Histograms::by_kind(self.traffic.requests());
        registry.register_with_unit("request_duration", help, Unit::Seconds, requests);
        let help = "Time from the commit of an event, or from the bell of another process, until its message is in the buffer of its connection";
        let delays = Histograms::of(self.traffic.live_messages());
        registry.register_with_unit("live_message_delay", help, Unit::Seconds, delays);
        let help = "Time from commits of this process until it heard its own bells through the bus";
        let lag = Histograms::of(self.services.events.hub().bell_lag());
        registry.register_with_unit("bell_lag", help, Unit::Seconds, lag);
        let help = "Commands in a transaction of the posting engine";
        let sizes = Histograms::of(self.services.ledger.batch_sizes());
        registry.register("batch_size", help, sizes);
    }

    /// Adds what the connections to the database do.
    fn add_pools(&self, registry: &mut Registry) {
        let pools = self.services.database.pools();
        for (name, help, figure) in [
            (
                "pool_size",
                "Connections to the database, at most",
                (|usage| usage.size) as fn(PoolUsage) -> usize,
            ),
            (
                "pool_in_use",
                "Connections that statements or transactions use",
                |usage| usage.in_use,
            ),
            (
                "pool_idle",
                "Connections that are kept for the next statement",
                |usage| usage.idle,
            ),
            (
                "pool_waiting",
                "Statements and transactions that wait for a connection",
                |usage| usage.waiting,
            ),
        ] {
            let family = Family::<[(&'static str, &'static str); 1], Gauge>::default();
            for (pool, usage) in &pools {
                let value = i64::try_from(figure(*usage)).unwrap_or(i64::MAX);
                family.get_or_create(&[("pool", *pool)]).set(value);
            }
            registry.register(name, help, family);
        }
    }

    /// Adds what this process has done, and how many connections it has.
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
                "Commands that failed because of an internal fault",
                posting.failed,
            ),
            ("reconciler_runs", "Comparisons with the payment gateway", compared.runs),
            (
                "reconciler_broken_off",
                "Comparisons that were interrupted",
                compared.broken_off,
            ),
            (
                "reconciler_compared",
                "Objects of the payment gateway that were compared",
                compared.compared,
            ),
            (
                "reconciler_repaired",
                "Top-ups that a comparison has repaired",
                compared.repaired,
            ),
            (
                "reconciler_raised",
                "Differences that an operator has to check",
                compared.raised,
            ),
        ] {
            registry.register(name, help, ConstCounter::new(count));
        }
        if let Some(at) = compared.last_at {
            let help = "Seconds since the last comparison with the payment gateway";
            registry.register_with_unit("reconciler_age", help, Unit::Seconds, seconds(at, now));
        }
        let reads = Family::<[(&'static str, &'static str); 1], Counter>::default();
        for (result, count) in self.services.credit_log.replica_reads() {
            reads.get_or_create(&[("result", result.name())]).inc_by(count);
        }
        let help =
            "Reads of the credit log that a replica could answer, by what it did; the primary answered the others";
        registry.register("replica_reads", help, reads);
        let sockets = i64::try_from(self.live_connections.taken()).unwrap_or(i64::MAX);
        let help = "Sockets and event streams that are open";
        registry.register("open_connections", help, ConstGauge::new(sockets));
    }
}

/// Adds the purchases in progress, of all processes.
fn add_top_ups(registry: &mut Registry, figures: &TopUpFigures, now: Timestamp) {
    let open = Family::<[(&'static str, &'static str); 1], Gauge>::default();
    for (status, count) in &figures.open {
        open.get_or_create(&[("status", status.as_str())]).set(*count);
    }
    registry.register("open_top_ups", "Top-ups whose result is still open", open);
    let (help, unknown) = ("Charges that the payment gateway has not answered", &figures.unknown);
    registry.register("unknown_attempts", help, ConstGauge::new(unknown.count));
    let oldest = seconds(unknown.since.unwrap_or(now), now);
    let help = "Seconds that the oldest of them has been unanswered";
    registry.register_with_unit("unknown_attempts_age", help, Unit::Seconds, oldest);
}

/// Adds the pending work and its age by queue, and what no worker can complete automatically. Both are of all
/// processes.
fn add_backlog(registry: &mut Registry, queues: &[Queue], stuck: Stuck, now: Timestamp) {
    let waiting = Family::<[(&'static str, &'static str); 1], Gauge>::default();
    let lag = Family::<[(&'static str, &'static str); 1], Gauge>::default();
    for queue in queues {
        waiting.get_or_create(&[("queue", queue.name)]).set(queue.waiting);
        lag.get_or_create(&[("queue", queue.name)]).set(queue.lag(now) / 1_000);
    }
    registry.register("work_due", "Items that wait for a worker, by queue", waiting);
    registry.register_with_unit(
        "work_lag",
        "Seconds that the oldest of them has waited",
        Unit::Seconds,
        lag,
    );
    for (name, help, count) in [
        (
            "parked_webhooks",
            "Webhooks that failed too often and wait for a replay",
            stuck.parked_webhooks,
        ),
        (
            "unsettled_charges",
            "Charges whose result has been unknown for a day",
            stuck.unsettled_charges,
        ),
        (
            "failed_refunds",
            "Refunds of the last 30 days that failed and were not requested again",
            stuck.failed_refunds,
        ),
        (
            "lost_mails",
            "Mails that are claimed by a sender that no longer runs",
            stuck.lost_mails,
        ),
        (
            "disabled_webhook_endpoints",
            "Webhook endpoints that were disabled because they are gone or failed for five days",
            stuck.disabled_webhook_endpoints,
        ),
        (
            "disabled_platform_webhook_endpoints",
            "Webhook endpoints of the platform among the disabled ones",
            stuck.disabled_platform_webhook_endpoints,
        ),
    ] {
        registry.register(name, help, ConstGauge::new(count));
    }
}

fn seconds(since: Timestamp, now: Timestamp) -> ConstGauge<i64> {
    ConstGauge::new((now.millis() - since.millis()).max(0) / 1_000)
}

/// Converts metrics to the older format. It describes a counter under the name of its samples, which ends in `_total`. It has no units
/// and no end marker.
fn older(text: &str) -> String {
    let described = |line: &str, kind: &str| {
        let rest = line.strip_prefix(kind)?;
        let (name, rest) = rest.split_once(' ')?;
        Some((name.to_owned(), rest.to_owned()))
    };
    let counters: HashSet<String> = text
        .lines()
        .filter_map(|line| described(line, "# TYPE "))
        .filter(|(_, kind)| kind == "counter")
        .map(|(name, _)| name)
        .collect();
    let mut older = String::with_capacity(text.len() + counters.len() * 16);
    for line in text.lines() {
        if line.starts_with("# UNIT ") || line == "# EOF" {
            continue;
        }
        let found = ["# HELP ", "# TYPE "]
            .into_iter()
            .find_map(|kind| Some((kind, described(line, kind)?)));
        match found {
            Some((kind, (name, rest))) if counters.contains(&name) => {
                older.extend([kind, &name, "_total ", &rest]);
            }
            _ => older.push_str(line),
        }
        older.push('\n');
    }
    older
}

async fn show(State(metrics): State<Arc<Metrics>>, headers: HeaderMap) -> Response {
    let accepted = headers.get_all(header::ACCEPT).iter();
    let takes_open = accepted
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.contains("application/openmetrics-text"));
    match metrics.text().await {
        Ok(text) if takes_open => ([(header::CONTENT_TYPE, FORMAT)], text).into_response(),
        Ok(text) => ([(header::CONTENT_TYPE, OLDER_FORMAT)], older(&text)).into_response(),
        Err(error) => {
            tracing::error!(%error, "figures cannot be written");
            axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
