//! The log of a command, on standard error, and its traces, if the environment names a collector.

use std::io::IsTerminal as _;

use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::adapters::otlp::Collector;
use crate::config::{LogFormat, Settings};
use crate::primitives::trace;

use super::Failure;

/// Starts to log, and to trace for the collector that is returned. Called once, by commands that log. The caller drops the collector at
/// its end.
pub(super) fn start_logging(settings: &Settings) -> Result<Option<Collector>, Failure> {
    // Messages of the migration tool about each migration, and of the driver of NATS about each connection, are logged only on request.
    // Exported spans are no part of the log.
    let filter = EnvFilter::new(format!(
        "sea_orm_migration=warn,async_nats=off,{},{}=off",
        settings.log_level,
        trace::TARGET
    ));
    let collector = Collector::of_environment()?;
    log_panics();
    let registry = tracing_subscriber::registry();
    // A second call, by a test that runs two commands in one process, keeps the first logger.
    let _ = match &collector {
        None => registry.with(filter).with(log(settings.log_format)).try_init(),
        Some(collector) => {
            let log = log(settings.log_format).with_filter(filter);
            registry.with(log).with(collector.layer()).try_init()
        }
    };
    Ok(collector)
}

fn log<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let log = fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.boxed(),
        LogFormat::Json => log.json().boxed(),
    }
}

/// Logs panics through the logger, so that they are JSON if the other lines are.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let reason = panic.payload_as_str().unwrap_or("not a text");
        let location = panic.location().map(ToString::to_string);
        let thread = std::thread::current();
        tracing::error!(reason, location, thread = thread.name(), "panicked");
    }));
}
