//! The door: GraphQL over HTTP, sockets and event streams, files, and whether we are well.
//!
//! Called by `serve`, the demo and the tests. Invariants: a body is read only up to a bound; whoever is not signed in reaches
//! nothing but pages, the sign-ins of a demo, the schema itself, health, signed links (exports, those of mails), signed webhooks and the
//! simulated gateway's page, whose links cannot be guessed; a handler may be
//! dropped at any `await` because its client hung up, which harms nothing, for every transaction runs in a task of its own.

mod address;
mod allowance;
mod answer;
mod auth;
mod body;
mod confirm_address;
mod console;
pub mod csv;
mod export;
mod export_bounds;
mod graphql;
mod health;
mod language;
mod log;
mod mail_link;
mod media;
mod metrics;
mod operation;
mod origin;
mod pages;
mod parameters;
mod payment_page;
mod seats;
mod security_headers;
mod server;
mod sign_ins;
mod sse;
mod stall;
mod stripe_face;
mod unsubscribe;
mod webhooks;
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
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::domain::Services;
use crate::graphql::{Caller, ErrorCode, ExportLinks, Operation, Schema, rate_limited, refused_request};

use address::PerAddress;
use allowance::{Allowances, Elapsed, Payer, REFUSED_CREDENTIAL};
use answer::Executed;
use export_bounds::Exports;
use origin::Origins;

pub use address::TrustedProxies;
pub use allowance::{Rate, Rates};
pub use console::Oidc;
pub use export_bounds::ExportLimits;
pub use health::health;
pub use metrics::Metrics;
pub use pages::{Files, Pages, Site};
pub use payment_page::{Confirm, Visit};
pub use seats::{SeatBounds, Seats};
pub use server::serve;
pub use sign_ins::{DemoCredential, DemoPerson, SignIns};
pub use stripe_face::{StripeCall, StripeGateway, StripeReply, stripe_face};
pub use ws::SocketLimits;

/// What the door may be told.
#[derive(Clone)]
pub struct Settings {
    /// Web pages of these origins may call from a browser; those of our own always may.
    pub allowed_origins: Vec<String>,
    /// So may pages that this machine serves, on whatever port: for development.
    pub allows_local_origins: bool,
    /// Headers that those pages may send, besides those that GraphQL clients and tracing libraries send.
    pub allowed_headers: Vec<String>,
    /// How clients reach us, if that is not where we listen.
    pub public_url: Option<String>,
    /// What a socket may do, and how long it may take.
    pub sockets: SocketLimits,
    /// What each caller may ask for over time.
    pub rates: Rates,
    /// Connections at the same time, sockets among them, at most.
    pub max_connections: usize,
    /// Those of one address, at most; by way of a trusted proxy, only what stays open is counted.
    pub max_connections_per_address: usize,
    /// Proxies in front of the server.
    pub proxies: TrustedProxies,
    /// What exports may take.
    pub exports: ExportLimits,
    /// Who may ask for the schema itself.
    pub introspection: Introspection,
    /// Which pages are served.
    pub pages: Pages,
    /// How members sign in to the console at an issuer.
    pub oidc: Option<Oidc>,
    /// How long the head of a request may take to come, and so how long a connection may be idle.
    pub head_timeout: Duration,
    /// How long a body may take to come.
    pub body_timeout: Duration,
    /// How long a client may take nothing of an answer.
    pub answer_timeout: Duration,
    /// Over how long sockets are closed when the server stops.
    pub drain: Duration,
}

/// Who may ask for the schema itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Introspection {
    /// Any client: the schema is published and no secret.
    Anyone,
    /// Signed-in callers.
    Callers,
    /// No client.
    Off,
}

/// What handlers share.
pub struct Door {
    schema: Schema,
    services: Services,
    export_links: ExportLinks,
    settings: Settings,
    origins: Origins,
    allowances: Allowances,
    /// What each address has open.
    addresses: PerAddress,
    exports: Exports,
    seats: Seats,
    /// Whom to tell what customers answer on the simulated gateway's page; there is none such with another gateway.
    confirm: Option<Confirm>,
    /// Those of a demo's console.
    sign_ins: Option<Arc<SignIns>>,
    /// Set when the server was told to stop: it is no longer ready, and nothing long is begun.
    stopping: CancellationToken,
    /// Set when requests have ended, or had their time: sockets and streams close, each at its own moment of the drain.
    drain: CancellationToken,
    /// Sockets count themselves here, so that the server waits for them.
    sockets: TaskTracker,
}

/// The door, shared by everything that goes through it.
pub type SharedDoor = Arc<Door>;

impl Door {
    /// A door to these services.
    pub fn new(
        schema: Schema,
        services: Services,
        export_links: ExportLinks,
        seats: Seats,
        settings: Settings,
    ) -> Self {
        Self {
            allowances: Allowances::new(settings.rates, Elapsed(services.clock.clone())),
            addresses: PerAddress::new(settings.max_connections_per_address),
            exports: Exports::new(settings.exports),
            origins: Origins::new(&settings.allowed_origins, settings.allows_local_origins),
            schema,
            services,
            export_links,
            seats,
            confirm: None,
            sign_ins: None,
            settings,
            stopping: CancellationToken::new(),
            drain: CancellationToken::new(),
            sockets: TaskTracker::new(),
        }
    }

    /// The same door, with the page on which customers of the simulated gateway confirm their payments.
    #[must_use]
    pub fn with_payment_page(self, confirm: Confirm) -> Self {
        Self {
            confirm: Some(confirm),
            ..self
        }
    }

    /// The same door, with sign-ins of a demo's people.
    #[must_use]
    pub fn with_sign_ins(self, sign_ins: Arc<SignIns>) -> Self {
        Self {
            sign_ins: Some(sign_ins),
            ..self
        }
    }

    /// Takes a cost from somebody's allowance. Gives `extensions.cost` of the answer; or the answer that there is none left.
    fn charge(&self, payer: &Payer, cost: u64) -> Result<Value, Box<GraphqlResponse>> {
        let budget = self.schema.budget();
        match self.allowances.charge(payer, cost) {
            Ok(None) => Ok(value!({ "requested": cost, "budget": budget })),
            Ok(Some(remaining)) => Ok(value!({ "requested": cost, "budget": budget, "remaining": remaining })),
            // A part of a second is a second: whoever comes back too early is refused again.
            Err(wait) => Err(Box::new(rate_limited(wait.as_secs() + 1))),
        }
    }

    /// Takes what a refused credential costs from the allowance of the address that it came from, beside `cost`.
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
        if !operation.is_introspection {
            let response = self.schema.execute(operation.request, caller).await;
            return Executed::Made(response.extension("cost", cost));
        }
        if self.settings.introspection == Introspection::Off {
            let message = "the schema is not told here: see the published schema.graphql";
            return Executed::Made(refused_request(ErrorCode::BadRequest, message));
        }
        match self.schema.introspect(operation.request).await {
            Ok(data) => Executed::Remembered { data, cost },
            Err(response) => Executed::Made(response.extension("cost", cost)),
        }
    }
}

/// All paths of the service.
fn router(door: SharedDoor) -> Router {
    let cross_origin = cross_origin(&door);
    let public_url = door.settings.public_url.clone();
    let payment_page = door.confirm.clone();
    let payment_page = payment_page.map(|confirm| payment_page::payment_page(confirm, public_url));
    let routes = Router::new()
        .route("/", get(pages::welcome))
        .route("/graphiql", get(pages::explorer))
        .route("/graphiql/", get(pages::explorer))
        .route("/graphiql/{*file}", get(pages::explorer))
        .route("/console/settings", get(console::settings))
        .route("/console/sign-in", post(console::sign_in))
        .route("/console/token", post(console::token))
        .route("/console/sign-out", post(console::sign_out))
        .route("/graphql", post(graphql::post).get(graphql::get))
        .route("/exports/credit-log", get(export::credit_log))
        .route("/unsubscribe", get(unsubscribe::show).post(unsubscribe::carry_out))
        .route(
            "/confirm-address",
            get(confirm_address::show).post(confirm_address::carry_out),
        )
        .route("/webhooks/stripe", post(webhooks::stripe))
        .route("/webhooks/mail", post(webhooks::mail))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .fallback(pages::fallback)
        .layer(middleware::from_fn_with_state(Arc::clone(&door), refuse_upgrades))
        .with_state(door)
        .merge(payment_page.unwrap_or_default())
        .layer(CatchPanicLayer::custom(|_| answer::panicked()));
    let routes = match cross_origin {
        Some(layer) => routes.layer(layer),
        None => routes,
    };
    routes
        .layer(middleware::from_fn(security_headers::add))
        .layer(middleware::from_fn(log::request))
}

/// A server that was told to stop begins nothing that lasts.
async fn refuse_upgrades(State(door): State<SharedDoor>, request: Request, next: Next) -> Response {
    if door.stopping.is_cancelled() && request.headers().contains_key(header::UPGRADE) {
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")]).into_response();
    }
    next.run(request).await
}

/// Credentials travel in a header that pages set themselves, never in cookies, so that origins need no more leave than this.
fn cross_origin(door: &Door) -> Option<CorsLayer> {
    if door.origins.is_empty() {
        return None;
    }
    let origins = door.origins.clone();
    let is_allowed = move |origin: &HeaderValue, _: &Parts| origin.to_str().is_ok_and(|origin| origins.allows(origin));
    let of_settings = door.settings.allowed_headers.iter();
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

/// Headers that GraphQL clients and tracing libraries add to what a page sends. We do not read them; a browser would refuse the request.
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

/// How long a browser need not ask again whether a page may call. Chromium holds no answer longer.
const PREFLIGHT_HOLDS: Duration = Duration::from_hours(2);

async fn no_such_path() -> Response {
    let text = "There is nothing here. The API is at /graphql.\n";
    (StatusCode::NOT_FOUND, text).into_response()
}
