//! The spans of traces that operators send to a collector of OpenTelemetry, and the context that connects them.
//!
//! Every exported span is created here: `adapters::otlp` exports the spans of this module and no others. So this file is the list of what
//! leaves the process. No attribute contains a value of a client: no variables, no ids, no credentials, no addresses, no paths.
//! Without a collector all functions return disabled spans, and their arguments are not evaluated.

use std::collections::HashMap;
use std::fmt::Display;

use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator as _};
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry::{Context, trace::TraceId};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::field::Empty;
use tracing::{Instrument as _, Level, Span, info_span, span_enabled};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The target of the exported spans. They are not part of the log.
pub const TARGET: &str = module_path!();

/// The names of spans that begin outside of another one: they begin a trace, or name their parent. All others exist only within another
/// span. So a worker that finds no work makes none.
pub const ROOTS: [&str; 4] = ["request", "operation", "job", "batch"];

/// The header with the identity of the caller's span (W3C Trace Context).
const TRACEPARENT: &str = "traceparent";

/// The longest name of an operation that is exported, because clients choose it.
const LONGEST_NAME: usize = 200;
/// The longest text of a statement that is exported.
const LONGEST_TEXT: usize = 2_000;
/// The longest summary of a statement, as the semantic conventions limit it.
const LONGEST_SUMMARY: usize = 255;

tokio::task_local! {
    /// The span of the log that the current task works for.
    static LOGGED: Span;
}

/// Runs a future within a span of the log.
pub async fn logged<F: Future>(span: Span, future: F) -> F::Output {
    LOGGED.scope(span.clone(), future).instrument(span).await
}

/// Returns the span of the log that the current task works for.
pub fn log_span() -> Span {
    LOGGED.try_with(Clone::clone).unwrap_or_else(|_| Span::none())
}

/// Makes a future, which another task runs, a part of what the current task works for: in the log and in the trace. The current span
/// alone is not enough: it belongs to only one of the two.
pub fn carried<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let log = log_span();
    LOGGED.scope(log.clone(), future.in_current_span()).instrument(log)
}

/// A request to the HTTP server. It continues the trace that its headers name. `route` is the pattern of its path.
pub fn request(method: &'static str, route: Option<&str>, headers: &dyn Extractor) -> Span {
    let span = info_span!(
        "request",
        otel.name = name_of_request(method, route),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        error.type = Empty,
    );
    continue_from(&span, headers);
    span
}

/// Records the status of a request to this server or of a call to another one.
pub fn responded(span: &Span, status: u16, is_error: bool) {
    span.record("http.response.status_code", status);
    if is_error {
        failed(span, &status.to_string());
    }
}

/// Records that what the span describes has failed. `kind` is one of a few names.
pub fn failed(span: &Span, kind: &str) {
    span.record("error.type", kind);
    span.record("otel.status_code", "ERROR");
}

/// The execution of a GraphQL operation. `kind` is `query`, `mutation` or `subscription`.
pub fn operation(kind: impl Display, name: Option<&str>) -> Span {
    info_span!(
        "operation",
        otel.name = %kind,
        graphql.operation.type = %kind,
        graphql.operation.name = name.map(|name| cut(name, LONGEST_NAME)),
    )
}

/// A statement, without its values. `system` is the name of the database system by the semantic conventions.
pub fn statement(system: &'static str, text: &str) -> Span {
    // Where no subscriber is set at all, the library evaluates the fields of a disabled span too, for the crate `log`.
    if !span_enabled!(Level::INFO) {
        return Span::none();
    }
    info_span!(
        "statement",
        otel.name = summary(text).as_str(),
        otel.kind = "client",
        otel.status_code = Empty,
        db.system.name = system,
        db.query.summary = summary(text).as_str(),
        db.query.text = cut(text, LONGEST_TEXT),
        error.type = Empty,
    )
}

/// A command from its arrival in the queue of the posting engine to its result.
pub fn posting(command: &'static str) -> Span {
    info_span!("posting", ledgerbell.command = command)
}

/// A transaction of the posting engine. It belongs to the trace of the first of these commands that has one. The other commands get links
/// to it.
pub fn batch<'s>(postings: impl Iterator<Item = &'s Span> + Clone) -> Span {
    let mut traced = postings.clone().filter(|posting| !posting.is_disabled());
    let Some(first) = traced.next() else {
        return Span::none();
    };
    let span = info_span!(parent: first, "batch", ledgerbell.batch.size = postings.count());
    let mut others = traced.peekable();
    if others.peek().is_some() {
        let batch = span.context().span().span_context().clone();
        others.for_each(|posting| posting.add_link(batch.clone()));
    }
    span
}

/// Work that a worker has found. `origin` is the context that was stored with it ([`current`]); without one it begins a trace.
pub fn job(name: &'static str, origin: Option<&str>) -> Span {
    let span = info_span!(parent: None, "job", otel.name = name);
    if let Some(origin) = origin {
        continue_from(&span, &HashMap::from([(TRACEPARENT.to_owned(), origin.to_owned())]));
    }
    span
}

/// A request to a server of the operator's choice. `template` is its path without ids.
pub fn call(method: &str, server: Option<&str>, template: impl Fn() -> String) -> Span {
    info_span!(
        "call",
        otel.name = format!("{method} {}", template()),
        otel.kind = "client",
        otel.status_code = Empty,
        http.request.method = method,
        http.response.status_code = Empty,
        server.address = server,
        url.template = template(),
        error.type = Empty,
    )
}

/// A request to a webhook endpoint. Its address is the customer's, and may contain a secret.
pub fn webhook() -> Span {
    info_span!(
        "webhook",
        otel.name = "POST webhook",
        otel.kind = "client",
        otel.status_code = Empty,
        http.request.method = "POST",
        http.response.status_code = Empty,
        error.type = Empty,
    )
}

/// A mail that is passed to the mail system.
pub fn mail() -> Span {
    info_span!(
        "send mail",
        otel.kind = "client",
        otel.status_code = Empty,
        error.type = Empty
    )
}

/// Adds the context of the span to the headers of a request.
pub fn inject(span: &Span, headers: &mut dyn Injector) {
    if !span.is_disabled() {
        TraceContextPropagator::new().inject_context(&span.context(), headers);
    }
}

/// Returns the context of the current span, to be stored with work that a worker does later; `None` without a trace that is exported.
pub fn current() -> Option<String> {
    let context = Context::current();
    if !context.span().span_context().is_sampled() {
        return None;
    }
    let mut headers = HashMap::new();
    TraceContextPropagator::new().inject_context(&context, &mut headers);
    headers.remove(TRACEPARENT)
}

/// Returns the id of the span's trace for the log; `None` without one.
pub fn trace_id(span: &Span) -> Option<TraceId> {
    if span.is_disabled() {
        return None;
    }
    let id = span.context().span().span_context().trace_id();
    (id != TraceId::INVALID).then_some(id)
}

/// The headers of a caller without its `tracestate`. All spans of the trace would inherit that: it would be exported, and sent to other
/// servers.
struct OnlyParent<'h>(&'h dyn Extractor);

impl Extractor for OnlyParent<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        if key == TRACEPARENT { self.0.get(key) } else { None }
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

fn continue_from(span: &Span, headers: &dyn Extractor) {
    if span.is_disabled() {
        return;
    }
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &OnlyParent(headers));
    if context.span().span_context().is_valid() {
        // Fails only without a collector, or for a span that has begun.
        let _ = span.set_parent(context);
    }
}

fn name_of_request(method: &str, route: Option<&str>) -> String {
    match route {
        Some(route) => format!("{method} {route}"),
        None => method.to_owned(),
    }
}

fn cut(text: &str, longest: usize) -> &str {
    &text[..text.floor_char_boundary(longest)]
}

/// Returns the operations and tables of a statement in their order, such as `INSERT event SELECT account_state`.
fn summary(text: &str) -> String {
    let is_between = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | ',' | ';');
    let words = || text.split(is_between).filter(|word| !word.is_empty());
    let mut parts: Vec<&str> = Vec::new();
    let (mut before, mut is_table) = ("", false);
    for word in words() {
        match word {
            "SELECT" | "INSERT" | "DELETE" => {
                parts.push(word);
                is_table = false;
            }
            // Not the lock of a SELECT, nor a part of an INSERT.
            "UPDATE" if !matches!(before, "FOR" | "DO") => {
                parts.push(word);
                is_table = true;
            }
            "FROM" | "INTO" | "JOIN" => is_table = before != "DISTINCT",
            _ if is_table => {
                parts.push(word.trim_matches('"'));
                is_table = false;
            }
            _ => {}
        }
        before = word;
    }
    if parts.is_empty() {
        parts.extend(words().next());
    }
    let summary = parts.join(" ");
    cut(&summary, LONGEST_SUMMARY).to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::Layer as _;
    use tracing_subscriber::filter::filter_fn;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn a_statement_is_described_by_its_operations_and_tables() {
        for (text, expected) in [
            (
                "SELECT a, b FROM credit_entry WHERE account_id = $1 FOR UPDATE",
                "SELECT credit_entry",
            ),
            (
                "INSERT INTO \"event\" (\"id\") SELECT id FROM json_each($1) ON CONFLICT DO UPDATE SET id = 1",
                "INSERT event SELECT json_each",
            ),
            (
                "WITH w AS (UPDATE top_up SET a = $1) SELECT 1 FROM (SELECT 2) AS x",
                "UPDATE top_up SELECT SELECT",
            ),
            ("SELECT 'FROM' WHERE a IS DISTINCT FROM $1", "SELECT"),
            ("BEGIN IMMEDIATE", "BEGIN"),
            ("", ""),
        ] {
            assert_eq!(summary(text), expected, "{text}");
        }
    }

    /// The text that a log wrote.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("a lock").write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// The log and the exporter each see spans that the other does not.
    #[tokio::test]
    async fn work_in_another_task_belongs_to_the_log_and_to_the_trace() {
        let log = Log::default();
        let writer = log.clone();
        let logs = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(move || writer.clone());
        let provider = SdkTracerProvider::default();
        let exported = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let is_ours = |metadata: &tracing::Metadata<'_>| metadata.target() == TARGET;
        let subscriber = tracing_subscriber::registry()
            .with(logs.with_filter(filter_fn(move |metadata| !is_ours(metadata))))
            .with(exported.with_filter(filter_fn(is_ours)));
        let _default = tracing::subscriber::set_default(subscriber);
        let traced = job("work", None);
        let expected = trace_id(&traced);
        let work = async { tokio::spawn(carried(async { nested().await })).await.expect("ends") };
        let span = info_span!(target: "log", "request", id = "abc");
        let found = logged(span, work.instrument(traced)).await;
        assert!(expected.is_some());
        assert_eq!(found, expected);
        let written = String::from_utf8(log.0.lock().expect("a lock").clone()).expect("text");
        assert!(
            written.contains("request{id=\"abc\"}") && written.contains("in another task"),
            "{written}"
        );
    }

    async fn nested() -> Option<TraceId> {
        let inner = async {
            tracing::info!(target: "log", "in another task");
            let id = Context::current().span().span_context().trace_id();
            (id != TraceId::INVALID).then_some(id)
        };
        tokio::spawn(carried(inner)).await.expect("ends")
    }
}
