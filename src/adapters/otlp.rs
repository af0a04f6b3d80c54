//! Sends the spans of `primitives::trace` to a collector, by OTLP over HTTP.
//!
//! Configured only by the standard variables of OpenTelemetry, which its SDK reads. Without an endpoint among them nothing is built.
//! Spans are sent from a thread of the SDK, in batches. If the collector does not take them, they are dropped: no request waits for it.

use std::env;
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{Key, KeyValue};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{DynFilterFn, FilterExt as _, filter_fn};
use tracing_subscriber::registry::LookupSpan;

use crate::primitives::trace;

/// How long the last spans may take when the process ends.
const FLUSHED_WITHIN: Duration = Duration::from_secs(2);

/// The variables that name a collector.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// Why no spans can be sent although a collector is named.
#[derive(Debug, thiserror::Error)]
pub enum InvalidCollector {
    /// The protocol is not HTTP with protobuf.
    #[error("OTEL_EXPORTER_OTLP_PROTOCOL {0:?} is not supported: set http/protobuf, or leave it out")]
    Protocol(String),
    /// Another variable is invalid.
    #[error("the variables OTEL_EXPORTER_OTLP_… cannot be used: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
}

/// The connection to the collector. Dropping it sends the last spans.
#[derive(Debug)]
pub struct Collector(SdkTracerProvider);

impl Collector {
    /// Connects to the collector that the environment names; `None` if it names none, or disables the SDK or its exporter.
    pub fn of_environment() -> Result<Option<Self>, InvalidCollector> {
        let is = |name: &str, value: &str| variable(name).is_some_and(|given| given.eq_ignore_ascii_case(value));
        let is_named = ENDPOINTS.iter().any(|name| variable(name).is_some());
        if !is_named || is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
            return Ok(None);
        }
        let protocol = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
        if let Some(protocol) = protocol.iter().find_map(|name| variable(name))
            && protocol != "http/protobuf"
        {
            return Err(InvalidCollector::Protocol(protocol));
        }
        let exporter = SpanExporter::builder().with_http().build()?;
        let provider = SdkTracerProvider::builder()
            .with_resource(resource())
            .with_batch_exporter(exporter);
        Ok(Some(Self(provider.build())))
    }

    /// Returns the layer that sends spans.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let ours = filter_fn(|metadata| metadata.is_span() && metadata.target() == trace::TARGET);
        let in_a_trace = DynFilterFn::new(|metadata, context| {
            trace::ROOTS.contains(&metadata.name()) || context.lookup_current().is_some()
        });
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("ledgerbell"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_level(false)
            .with_target(false)
            .with_filter(ours.and(in_a_trace))
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown_with_timeout(FLUSHED_WITHIN) {
            tracing::warn!(%error, "the last spans were not sent to the collector");
        }
    }
}

fn resource() -> Resource {
    let found = Resource::builder().build();
    let is_named = found
        .get(&Key::from_static_str("service.name"))
        .is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource = Resource::builder().with_attribute(version);
    if is_named {
        resource.build()
    } else {
        resource.with_service_name("ledgerbell").build()
    }
}

/// Returns a variable of the environment. An empty one counts as absent, as the standard says.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
