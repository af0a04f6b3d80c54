//! The HTTP server: GraphQL over HTTP, WebSocket and event streams, file downloads, and health.
//!
//! Called by `serve`, the demo and the tests. Invariants:
//! - A body is read only up to a limit.
//! - Without signing in, a client reaches only the routes that need no caller. These are pages, the sign-ins of a demo, the schema
//!   itself, health, signed links (exports and those in mails), and signed webhooks. The last one is the page of the simulated
//!   gateway, whose links cannot be guessed.
//! - A handler may be dropped at any `await` when its client disconnects. This is safe, because every transaction runs in a task of its
//!   own.

mod address;
mod allowance;
mod answer;
mod auth;
mod body;
mod compression;
mod confirm_address;
mod console;
pub mod csv;
mod export;
mod export_bounds;
mod export_names;
mod graphql;
mod health;
mod histograms;
mod language;
mod live_connections;
mod log;
mod mail_link;
mod media;
mod metrics;
mod operation;
mod origin;
mod pages;
mod parameters;
mod security_headers;
mod server;
mod sign_ins;
mod sse;
mod traffic;
mod unsubscribe;
mod webhooks;
mod write_timeout;
mod ws;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Response as GraphqlResponse, Value, value};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tracing::Instrument as _;

use crate::domain::Services;
use crate::graphql::{Caller, ErrorCode, ExportLinks, Operation, Schema, rate_limited, refused_request};
use crate::primitives::trace;

use address::PerAddress;
use allowance::{Allowances, Elapsed, Payer, REFUSED_CREDENTIAL};
use answer::Executed;
use confirm_address::ConfirmAddress;
use export_bounds::Exports;
use origin::Origins;
use unsubscribe::Unsubscribe;

pub use address::TrustedProxies;
pub use allowance::Rates;
pub use console::Oidc;
pub use export_bounds::ExportLimits;
pub use health::health;
pub use live_connections::{LiveConnectionBounds, LiveConnections};
pub use metrics::Metrics;
pub use pages::{Files, Pages, Site};
pub use server::serve;
pub use sign_ins::{DemoCredential, DemoPerson, SignIns};
pub use traffic::Traffic;
pub use ws::SocketLimits;

/// Limits of HTTP requests and connections, and which pages may call the API.
#[derive(Clone, Debug, Deserialize)]
pub struct HttpSettings {
    /// Origins whose pages may call the API from a browser. The server's own origin always may.
    pub cors_origins: Vec<String>,
    /// Headers that those pages may send, besides those that GraphQL clients and tracing libraries send.
    pub cors_headers: Vec<String>,
    /// The maximum number of concurrent connections, sockets included.
    pub max_connections: usize,
    /// The maximum number of concurrent connections per address. Behind a trusted proxy, only connections
    /// that stay open are counted.
    pub max_connections_per_address: usize,
    /// The time limit for the head of a request, and so for an idle connection.
    #[serde(rename = "head_seconds")]
    pub head_timeout: Duration,
    /// The time limit for the body of a request.
    #[serde(rename = "body_seconds")]
    pub body_timeout: Duration,
    /// How long a client may read nothing of a response.
    #[serde(rename = "answer_seconds")]
    pub answer_timeout: Duration,
    /// The period over which sockets are closed at shutdown.
    #[serde(rename = "drain_seconds")]
    pub drain: Duration,
}

/// The settings of the HTTP server.
#[derive(Clone)]
pub struct Settings {
    /// Limits of requests and connections.
    pub http: HttpSettings,
    /// Whether pages of this machine may call too, on any port: for development.
    pub allows_local_origins: bool,
    /// The URL by which clients reach the server, if it differs from the listening address.
    pub public_url: Option<String>,
    /// Limits of sockets.
    pub sockets: SocketLimits,
    /// The cost that each caller may use over time.
    pub rates: Rates,
    /// Proxies in front of the server.
    pub proxies: TrustedProxies,
    /// Limits of exports.
    pub exports: ExportLimits,
    /// Who may query the schema itself.
    pub introspection: Introspection,
    /// The pages that are served.
    pub pages: Pages,
    /// How members sign in to the console at an issuer.
    pub oidc: Option<Oidc>,
}

/// Who may query the schema itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Introspection {
    /// Any client: the schema is public.
    Anyone,
    /// Signed-in callers.
    Callers,
    /// No client.
    Off,
}

/// The state that handlers share.
pub struct HttpState {
    schema: Schema,
    services: Services,
    export_links: ExportLinks,
    settings: Settings,
    origins: Origins,
    allowances: Allowances,
    /// The open connections of each address.
    addresses: PerAddress,
    exports: Exports,
    live_connections: LiveConnections,
    traffic: Traffic,
    /// The page of the simulated gateway; `None` with another gateway.
    payment_page: Option<Router>,
    /// The sign-ins of a demo's console.
    sign_ins: Option<Arc<SignIns>>,
    /// Canceled when the server must stop. Then it is no longer ready, and starts nothing that lasts.
    stopping: CancellationToken,
    /// Canceled when all requests have ended or their time is over. Then sockets and streams close, each at its own
    /// time within the drain.
    drain: CancellationToken,
    /// Tracks sockets, so that the server waits for them.
    sockets: TaskTracker,
}

/// The state of the HTTP server, shared by all handlers.
pub type SharedHttpState = Arc<HttpState>;

impl HttpState {
    /// Creates the state of a server for these services.
    pub fn new(
        schema: Schema,
        services: Services,
        export_links: ExportLinks,
        (live_connections, traffic): (LiveConnections, Traffic),
        settings: Settings,
    ) -> Self {
        Self {
            allowances: Allowances::new(settings.rates, Elapsed(services.clock.clone())),
            addresses: PerAddress::new(settings.http.max_connections_per_address),
            exports: Exports::new(settings.exports),
            origins: Origins::new(&settings.http.cors_origins, settings.allows_local_origins),
            schema,
            services,
            export_links,
            live_connections,
            traffic,
            payment_page: None,
            sign_ins: None,
            settings,
            stopping: CancellationToken::new(),
            drain: CancellationToken::new(),
            sockets: TaskTracker::new(),
        }
    }

    /// Adds the page on which customers of the simulated gateway confirm their payments.
    #[must_use]
    pub fn with_payment_page(self, page: Router) -> Self {
        Self {
            payment_page: Some(page),
            ..self
        }
    }

    /// Adds the sign-ins of a demo's people.
    #[must_use]
    pub fn with_sign_ins(self, sign_ins: Arc<SignIns>) -> Self {
        Self {
            sign_ins: Some(sign_ins),
            ..self
        }
    }

    /// Takes a cost from a payer's allowance. Returns the `extensions.cost` of the response, or the response that refuses.
    fn charge(&self, payer: &Payer, cost: u64) -> Result<Value, Box<GraphqlResponse>> {
        let budget = self.schema.budget();
        match self.allowances.charge(payer, cost) {
            Ok(None) => Ok(value!({ "requested": cost, "budget": budget })),
            Ok(Some(remaining)) => Ok(value!({ "requested": cost, "budget": budget, "remaining": remaining })),
            // Rounded up to full seconds: a client that returns too early is refused again.
            Err(wait) => Err(Box::new(rate_limited(wait.as_secs() + 1))),
        }
    }

    /// Takes the cost of a refused credential from the allowance of its address, in addition to `cost`.
    fn charge_guess(&self, remote: IpAddr, cost: u64) -> Result<(), Box<GraphqlResponse>> {
        let cost = cost.saturating_add(REFUSED_CREDENTIAL);
        self.charge(&Payer::address(remote), cost).map(|_| ())
    }

    /// Executes a query or a mutation for a caller, if their allowance has its cost.
    async fn execute(&self, operation: Operation, caller: Option<Caller>, payer: &Payer) -> Executed {
        let cost = match self.charge(payer, operation.cost) {
            Ok(cost) => cost,
            Err(refused) => return Executed::Made(*refused),
        };
        // Also beside other fields, in a request of someone who is signed in.
        if operation.selects_schema && self.settings.introspection == Introspection::Off {
            let message = "the schema is not served here: see the published schema.graphql";
            return Executed::Made(refused_request(ErrorCode::BadRequest, message));
        }
        let span = trace::operation(operation.kind, operation.name.as_deref());
        if !operation.is_introspection {
            let response = self.schema.execute(operation, caller).instrument(span).await;
            return Executed::Made(response.extension("cost", cost));
        }
        match self.schema.introspect(operation.request).instrument(span).await {
            Ok(data) => Executed::Remembered { data, cost },
            Err(response) => Executed::Made(response.extension("cost", cost)),
        }
    }
}

/// All paths of the service.
fn router(state: SharedHttpState) -> Router {
    let (cross_origin, traffic) = (cross_origin(&state), state.traffic.clone());
    let payment_page = state.payment_page.clone().unwrap_or_default();
    let routes = Router::new()
        .route("/", get(pages::welcome))
        .route("/graphiql", get(pages::explorer))
        .route("/graphiql/", get(pages::explorer))
        .route("/graphiql/{*file}", get(pages::explorer))
        .route("/console/settings", get(console::settings))
        .route("/console/sign-in", post(console::sign_in))
        .route("/console/token", post(console::token))
        .route("/console/sign-out", post(console::sign_out))
        .route("/console/clock", post(console::move_clock))
        .route("/graphql", post(graphql::post).get(graphql::get))
        .route("/exports/credit-log", get(export::credit_log))
        .route(
            "/unsubscribe",
            get(mail_link::show::<Unsubscribe>).post(mail_link::carry_out::<Unsubscribe>),
        )
        .route(
            "/confirm-address",
            get(mail_link::show::<ConfirmAddress>).post(mail_link::carry_out::<ConfirmAddress>),
        )
        .route("/webhooks/stripe", post(webhooks::stripe))
        .route("/webhooks/mail", post(webhooks::mail))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .fallback(pages::fallback)
        .layer(middleware::from_fn_with_state(Arc::clone(&state), refuse_upgrades))
        .with_state(state)
        .merge(payment_page)
        .layer(CatchPanicLayer::custom(|_| answer::panicked()))
        .layer(compression::layer());
    let routes = match cross_origin {
        Some(layer) => routes.layer(layer),
        None => routes,
    };
    routes
        .layer(middleware::from_fn(security_headers::add))
        .layer(middleware::from_fn_with_state(traffic, log::request))
}

/// Refuses upgrades while the server stops, because sockets last.
async fn refuse_upgrades(State(state): State<SharedHttpState>, request: Request, next: Next) -> Response {
    if state.stopping.is_cancelled() && request.headers().contains_key(header::UPGRADE) {
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")]).into_response();
    }
    next.run(request).await
}

/// Pages set credentials in a header, never in cookies. So origins need no further permission than this.
fn cross_origin(state: &HttpState) -> Option<CorsLayer> {
    if state.origins.is_empty() {
        return None;
    }
    let origins = state.origins.clone();
    let is_allowed = move |origin: &HeaderValue, _: &Parts| origin.to_str().is_ok_and(|origin| origins.allows(origin));
    let of_settings = state.settings.http.cors_headers.iter();
    let of_settings = of_settings.filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok());
    let ours = [
        header::AUTHORIZATION,
        header::CONTENT_TYPE,
        header::ACCEPT,
        header::ACCEPT_LANGUAGE,
        header::CACHE_CONTROL,
        log::REQUEST_ID,
        sse::LAST_EVENT_ID,
    ];
    let usual = SENT_BY_CLIENTS.iter().copied().map(HeaderName::from_static);
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(is_allowed))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(ours.into_iter().chain(usual).chain(of_settings).collect::<Vec<_>>())
        .expose_headers([log::REQUEST_ID, header::RETRY_AFTER, header::CONTENT_DISPOSITION])
        .max_age(PREFLIGHT_HOLDS);
    Some(layer)
}

/// Headers that GraphQL clients and tracing libraries add to requests. The server ignores all but `traceparent`, but browsers would refuse
/// the request without them.
const SENT_BY_CLIENTS: [&str; 10] = [
    "apollo-require-preflight",
    "apollographql-client-name",
    "apollographql-client-version",
    "baggage",
    "graphql-client-name",
    "graphql-client-version",
    "sentry-trace",
    "traceparent",
    "tracestate",
    "x-requested-with",
];

/// How long a browser may cache the permission of a page to call. Chromium caches it no longer than this.
const PREFLIGHT_HOLDS: Duration = Duration::from_hours(2);

async fn no_such_path() -> Response {
    let text = "There is nothing here. The API is at /graphql.\n";
    (StatusCode::NOT_FOUND, text).into_response()
}
