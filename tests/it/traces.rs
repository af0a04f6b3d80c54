//! Traces: what a collector receives, what it never receives, and what happens without one.

use std::cell::RefCell;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::routing::post;
use ledgerbell::adapters::gateway::simulated::{SimulatedGateway, router};
use ledgerbell::primitives::clock::Clock;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Attribute;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};
use prost::Message as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::harness::{Place, Serving, TestDatabase, until};

/// The span of the client in its own trace.
const CLIENT_SPAN: &str = "b7ad6b7169203331";
/// What the client's own tracing says in `tracestate`.
const CLIENT_STATE: &str = "clients-own-state";
/// Settings that end a process without a pause.
const ENDS_AT_ONCE: (&str, &str) = ("LEDGERBELL_HTTP_DRAIN_SECONDS", "0");

type Received = Arc<Mutex<Vec<Bytes>>>;

/// Takes the place of a collector: it keeps what it receives.
struct Collector {
    url: String,
    received: Received,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        Self::on(listener)
    }

    fn on(listener: TcpListener) -> Self {
        let received = Received::default();
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let keep = async |State(received): State<Received>, body: Bytes| {
            received.lock().expect("a lock").push(body);
        };
        let routes = Router::new()
            .route("/v1/traces", post(keep))
            .with_state(Arc::clone(&received));
        tokio::spawn(async move { axum::serve(listener, routes).await.expect("serves") });
        Self { url, received }
    }

    fn bodies(&self) -> Vec<Bytes> {
        self.received.lock().expect("a lock").clone()
    }

    fn resource_spans(&self) -> impl Iterator<Item = ResourceSpans> + use<> {
        let requests = self
            .bodies()
            .into_iter()
            .map(|body| ExportTraceServiceRequest::decode(body).expect("a request of OTLP"));
        requests.flat_map(|request| request.resource_spans)
    }

    /// Returns all texts that it received. Ids are no texts.
    fn texts(&self) -> Vec<String> {
        let mut texts = Vec::new();
        for sent in self.resource_spans() {
            texts.extend(texts_of(&sent.resource.expect("a resource").attributes));
            for scoped in sent.scope_spans {
                if let Some(scope) = scoped.scope {
                    texts.extend(texts_of(&scope.attributes));
                    texts.extend([scope.name, scope.version]);
                }
                for span in scoped.spans {
                    texts.extend(texts_of(&span.attributes));
                    texts.extend([span.name, span.trace_state]);
                    texts.extend(span.status.map(|status| status.message));
                    for event in span.events {
                        texts.extend(texts_of(&event.attributes));
                        texts.push(event.name);
                    }
                    for link in span.links {
                        texts.extend(texts_of(&link.attributes));
                        texts.push(link.trace_state);
                    }
                }
            }
        }
        texts
    }

    /// Returns the spans, with the name of the service that sent them.
    fn spans(&self) -> Vec<(String, Span)> {
        let mut spans = Vec::new();
        for sent in self.resource_spans() {
            let resource = sent.resource.expect("a resource");
            let service = resource
                .attributes
                .iter()
                .find(|attribute| attribute.key == "service.name");
            let service =
                service.map(|attribute| text(attribute.value.as_ref().and_then(|value| value.value.as_ref())));
            let service = service.expect("a name");
            spans.extend(
                sent.scope_spans
                    .into_iter()
                    .flat_map(|scope| scope.spans)
                    .map(|span| (service.clone(), span)),
            );
        }
        spans
    }

    /// Returns the spans of a trace.
    fn trace(&self, id: &str) -> Vec<Span> {
        let spans = self.spans().into_iter().map(|(_, span)| span);
        spans.filter(|span| hex(&span.trace_id) == id).collect()
    }

    /// Waits until a trace has spans whose names begin like each of these, and the parents of all its spans: a span ends, and is sent,
    /// before its parent. Returns what it had then.
    async fn whole_trace(&self, id: &str, names: &[&str]) -> Vec<Span> {
        let found = RefCell::new(Vec::new());
        let is_whole = || {
            let spans = self.trace(id);
            let has = |name: &&str| spans.iter().any(|span| span.name.starts_with(*name));
            let is_connected = |span: &Span| {
                hex(&span.parent_span_id) == CLIENT_SPAN
                    || spans.iter().any(|other| other.span_id == span.parent_span_id)
            };
            let is_whole = names.iter().all(has) && spans.iter().all(is_connected);
            *found.borrow_mut() = spans;
            is_whole
        };
        until(is_whole).await;
        found.into_inner()
    }
}

fn texts_of(attributes: &[KeyValue]) -> Vec<String> {
    let texts_of_one = |attribute: &KeyValue| {
        let value = attribute.value.as_ref().and_then(|value| value.value.as_ref());
        [attribute.key.clone(), text(value)]
    };
    attributes.iter().flat_map(texts_of_one).collect()
}

fn text(value: Option<&Attribute>) -> String {
    match value {
        Some(Attribute::StringValue(text)) => text.clone(),
        Some(Attribute::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn attribute(span: &Span, key: &str) -> Option<String> {
    let found = span.attributes.iter().find(|attribute| attribute.key == key)?;
    Some(text(found.value.as_ref()?.value.as_ref()))
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// A payment gateway over HTTP that keeps the contexts of the requests it gets.
async fn gateway() -> (String, Arc<Mutex<Vec<String>>>) {
    let contexts = Arc::<Mutex<Vec<String>>>::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let simulated = SimulatedGateway::new(Clock::system());
    simulated.send_customers_to(&url);
    let keep = {
        let contexts = Arc::clone(&contexts);
        move |request: Request, next: Next| {
            let found = ["traceparent", "tracestate"].map(|name| request.headers().get(name));
            let found = found.into_iter().flatten();
            let found = found.map(|context| context.to_str().expect("a text").to_owned());
            contexts.lock().expect("a lock").extend(found);
            async move { next.run(request).await }
        }
    };
    let routes = router(simulated).layer(middleware::from_fn(keep));
    tokio::spawn(async move { axum::serve(listener, routes).await.expect("serves") });
    (url, contexts)
}

/// Starts a server with these variables.
async fn serve(database: &TestDatabase, variables: &[(&'static str, &str)]) -> (Serving, String) {
    let mut place = Place::new(&database.url);
    let variables = variables.iter().map(|(name, value)| (*name, (*value).to_owned()));
    place.settings = variables.collect();
    let permissions = "READ_CREDIT_LOG,MANAGE_ACCOUNTS,MANAGE_CREDITS,MANAGE_MEMBERS,BUY_CREDITS";
    let arguments = ["api-key", "create", "--name", "Traces", "--permissions", permissions];
    let key = Place::new(&database.url).print(database, &arguments);
    (place.serve(database, &key).await, key)
}

/// Runs a mutation as a part of the client's trace.
async fn mutate(serving: &Serving, trace_id: &str, flags: &str, name: &str, input: Value) -> Value {
    let type_name = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
    let query = format!("mutation Buy($input: {type_name}!) {{ {name}(input: $input) {{ userErrors {{ code }} }} }}");
    let request = serving
        .client
        .post("/graphql")
        .header("traceparent", format!("00-{trace_id}-{CLIENT_SPAN}-{flags}"))
        .header("tracestate", format!("vendor={CLIENT_STATE}"))
        .json(&json!({ "query": query, "variables": { "input": input } }));
    let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(answer["data"][name]["userErrors"], json!([]), "{name}: {answer}");
    answer
}

fn named<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    let found = spans.iter().find(|span| span.name == name);
    let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    found.unwrap_or_else(|| panic!("{name} in {names:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_is_one_trace_from_the_client_to_the_payment_gateway_without_secrets() {
    const GRANT: &str = "0af7651916cd43dd8448eb211c80319c";
    const PURCHASE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let (collector, (gateway_url, contexts)) = (Collector::start().await, gateway().await);
    let database = TestDatabase::make().await;
    let (serving, key) = serve(
        &database,
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url),
            ("OTEL_BSP_SCHEDULE_DELAY", "50"),
            ("LEDGERBELL_LOG_FORMAT", "json"),
            ("LEDGERBELL_GATEWAY_KIND", "stripe"),
            ("LEDGERBELL_GATEWAY_STRIPE_URL", &gateway_url),
            ("LEDGERBELL_GATEWAY_STRIPE_SECRET_KEY", "sk_test_hunter2"),
            ("LEDGERBELL_GATEWAY_STRIPE_PUBLISHABLE_KEY", "pk_test_hunter2"),
            ("LEDGERBELL_GATEWAY_STRIPE_WEBHOOK_SECRET", "whsec_hunter2"),
            ("LEDGERBELL_GATEWAY_RETURN_URL", "https://app.example/back"),
        ],
    )
    .await;
    let account = serving.account("traced").await;
    let member = json!({ "accountId": account, "name": "Private Person", "email": "private@person.example" });
    mutate(&serving, GRANT, "01", "addMember", member).await;
    let grant = json!({ "accountId": account, "credits": "71234567", "description": "private reason", "idempotencyKey": "private-key" });
    mutate(&serving, GRANT, "01", "grantCredits", grant).await;
    let card = json!({ "accountId": account, "gatewayToken": "card_ok" });
    mutate(&serving, GRANT, "01", "addPaymentMethod", card).await;
    let purchase = json!({ "accountId": account, "credits": "10", "idempotencyKey": "private-purchase" });
    mutate(&serving, PURCHASE, "01", "createTopUp", purchase).await;
    let confirm = "POST /v1/payment_intents/{id}/confirm";
    let awaited = ["POST /graphql", "mutation", "INSERT top_up_attempt", "charge", confirm];
    let spans = collector.whole_trace(PURCHASE, &awaited).await;
    let request = named(&spans, "POST /graphql");
    assert_eq!(hex(&request.parent_span_id), CLIENT_SPAN);
    assert_eq!(attribute(request, "http.response.status_code").as_deref(), Some("200"));
    let operation = named(&spans, "mutation");
    assert_eq!(operation.parent_span_id, request.span_id);
    assert_eq!(attribute(operation, "graphql.operation.name").as_deref(), Some("Buy"));
    let insert = spans.iter().find(|span| span.name.starts_with("INSERT top_up_attempt"));
    let insert = insert.unwrap_or_else(|| panic!("a statement in {spans:?}"));
    let statement = attribute(insert, "db.query.text").expect("its text");
    assert!(statement.contains("top_up_attempt"), "{statement}");
    assert!(attribute(insert, "db.system.name").is_some());
    let (charge, call) = (named(&spans, "charge"), named(&spans, confirm));
    assert_eq!(call.parent_span_id, charge.span_id);
    let propagated = format!("00-{PURCHASE}-{}-01", hex(&call.span_id));
    let sent_on = contexts.lock().expect("a lock").clone();
    assert!(sent_on.contains(&propagated), "{sent_on:?}");
    assert!(!sent_on.concat().contains(CLIENT_STATE), "{sent_on:?}");

    let awaited = ["posting", "batch", "INSERT credit_entry"];
    let spans = collector.whole_trace(GRANT, &awaited).await;
    let batch = named(&spans, "batch");
    let posting = spans.iter().find(|span| span.span_id == batch.parent_span_id);
    let posting = posting.expect("the command");
    assert_eq!(
        attribute(posting, "ledgerbell.command").as_deref(),
        Some("grantCredits")
    );
    let entry = spans.iter().find(|span| span.name.starts_with("INSERT credit_entry"));
    assert_eq!(entry.expect("the entry").parent_span_id, batch.span_id);

    let lines = serving.log_lines();
    let logged = lines
        .iter()
        .filter(|line| line["span"]["trace_id"] == PURCHASE || line["spans"][0]["trace_id"] == PURCHASE);
    let logged: Vec<&Value> = logged.filter(|line| line["fields"]["message"] == "answered").collect();
    assert_eq!(logged.len(), 1, "{lines:?}");
    assert!(logged[0].to_string().contains("\"operation\":\"Buy\""), "{logged:?}");
    serving.terminate().await;
    // A worker that finds no work begins no trace.
    for (service, span) in collector.spans() {
        assert_eq!(service, "ledgerbell");
        let is_root = span.parent_span_id.is_empty();
        let may_begin = span.name.starts_with("POST ") || !span.name.contains(|c: char| c.is_ascii_uppercase());
        assert!(!is_root || may_begin, "{span:?}");
    }
    let bodies: Vec<u8> = collector.bodies().concat();
    let has_bytes = |needle: &str| bodies.windows(needle.len()).any(|part| part == needle.as_bytes());
    let texts = collector.texts();
    let has_text = |needle: &str| texts.iter().any(|text| text.contains(needle));
    assert!(has_bytes("payment_intents") && has_text("payment_intents"));
    let secrets = [
        "hunter2",
        "card_ok",
        "person.example",
        "71234567",
        CLIENT_STATE,
        &account,
        &key,
    ];
    for secret in secrets {
        assert!(!has_bytes(secret), "{secret} is exported");
    }
    // Random ids may contain the bytes of short ones.
    for secret in secrets.into_iter().chain(["rivate", "pm_", "cus_"]) {
        assert!(!has_text(secret), "{secret} is exported");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_are_sent_at_the_end_and_never_without_a_collector() {
    const SAMPLED: &str = "0af7651916cd43dd8448eb211c80319c";
    const UNSAMPLED: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let collector = Collector::start().await;
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str());
    let never_in_between = ("OTEL_BSP_SCHEDULE_DELAY", "3600000");
    for (variables, is_sent) in [
        (vec![("OTEL_BSP_SCHEDULE_DELAY", "1")], false),
        (vec![endpoint, ("OTEL_SDK_DISABLED", "true")], false),
        (vec![endpoint, ("OTEL_TRACES_EXPORTER", "none")], false),
        (vec![endpoint, ("OTEL_TRACES_SAMPLER", "always_off")], false),
        (vec![endpoint, never_in_between, ("OTEL_SERVICE_NAME", "billing")], true),
    ] {
        let database = TestDatabase::make().await;
        let (serving, _) = serve(&database, &[&variables[..], &[ENDS_AT_ONCE]].concat()).await;
        let account = serving.account("traced").await;
        for (trace_id, flags, key) in [(SAMPLED, "01", "a"), (UNSAMPLED, "00", "b")] {
            let grant = json!({ "accountId": account, "credits": "1", "description": "x", "idempotencyKey": key });
            mutate(&serving, trace_id, flags, "grantCredits", grant).await;
        }
        assert!(collector.spans().is_empty(), "{variables:?}");
        let (status, _) = serving.terminate().await;
        assert!(status.success(), "{variables:?}");
        assert_eq!(!collector.spans().is_empty(), is_sent, "{variables:?}");
    }
    assert!(!collector.trace(SAMPLED).is_empty());
    assert!(collector.trace(UNSAMPLED).is_empty(), "the client does not record it");
    assert!(collector.spans().iter().all(|(service, _)| service == "billing"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_does_not_answer_delays_no_request_and_not_the_end() {
    // Accepts connections, and reads nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", silent.local_addr().expect("an address"));
    let database = TestDatabase::make().await;
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_BSP_SCHEDULE_DELAY", "1"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "16"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "8"),
        ENDS_AT_ONCE,
    ];
    let (serving, _) = serve(&database, &variables).await;
    let account = serving.account("traced").await;
    for number in 0..50 {
        // Shorter than the time that the export may take.
        let granted = serving
            .grant(&account, &number.to_string(), Duration::from_secs(8))
            .await;
        granted.expect("it is answered");
    }
    let (status, took) = serving.terminate().await;
    assert!(status.success());
    assert!(took < Duration::from_secs(8), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protocol_that_is_not_supported_is_refused_at_the_start() {
    let database = TestDatabase::make().await;
    let mut place = Place::new(&database.url);
    place.settings = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317".to_owned()),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc".to_owned()),
    ];
    let output = place.command(&database, &["serve"]).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("http/protobuf"), "{said}");
}
