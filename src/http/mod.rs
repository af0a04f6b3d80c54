//! The door: GraphQL over HTTP, files, and whether we are well.
//!
//! Called by `serve`, the demo and the tests. Invariants: a body is read only up to a bound; whoever is not signed in reaches
//! nothing but the schema itself, health, signed links and signed webhooks; a handler may be dropped at any `await` because its client hung up,
//! which harms nothing, for every transaction runs in a task of its own.

mod auth;
mod export;
mod graphql;
mod health;
mod payment_page;
mod webhooks;

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::TraceLayer;

use crate::domain::Services;
use crate::graphql::{ErrorCode, ExportLinks, Schema, refused_request};

pub use payment_page::{Confirm, payment_page};

/// What the door may be told.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Web pages of these origins may call from a browser; those of our own always may.
    pub allowed_origins: Vec<String>,
}

/// What handlers share.
struct Door {
    schema: Schema,
    services: Services,
    export_links: ExportLinks,
}

type SharedDoor = Arc<Door>;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// All paths of the service.
pub fn router(schema: Schema, services: Services, export_links: ExportLinks, settings: &Settings) -> Router {
    let door = Arc::new(Door {
        schema,
        services,
        export_links,
    });
    let routes = Router::new()
        .route("/", get(welcome))
        .route("/graphql", post(graphql::post).get(graphql::get))
        .route("/exports/credit-log", get(export::credit_log))
        .route(
            "/webhooks/stripe",
            post(webhooks::stripe).layer(DefaultBodyLimit::max(webhooks::MAX_BODY_BYTES)),
        )
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .fallback(no_such_path)
        .with_state(door)
        .layer(CatchPanicLayer::custom(|_| panicked()))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(TraceLayer::new_for_http())
        .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid));
    match cross_origin(settings) {
        Some(layer) => routes.layer(layer),
        None => routes,
    }
}

/// Serves until `shutdown` resolves, then lets requests that are under way end.
pub async fn serve(
    listener: tokio::net::TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}

/// Credentials travel in a header that pages set themselves, never in cookies, so that origins need no more leave than this.
fn cross_origin(settings: &Settings) -> Option<CorsLayer> {
    let origins: Vec<HeaderValue> = settings
        .allowed_origins
        .iter()
        .filter_map(|origin| HeaderValue::from_str(origin.trim_end_matches('/')).ok())
        .collect();
    if origins.is_empty() {
        return None;
    }
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, header::ACCEPT])
        .expose_headers([REQUEST_ID]);
    Some(layer)
}

async fn welcome() -> Json<serde_json::Value> {
    Json(serde_json::json!({
        "name": "ledgerbell",
        "version": env!("CARGO_PKG_VERSION"),
        "graphql": "/graphql",
        "health": "/health/ready",
    }))
}

async fn no_such_path() -> Response {
    let text = "There is nothing here. The API is at /graphql.\n";
    (StatusCode::NOT_FOUND, text).into_response()
}

/// The panic itself has been logged by the panic hook of the process.
fn panicked() -> Response {
    let answer = refused_request(ErrorCode::Internal, "something went wrong on our side");
    graphql::answer(StatusCode::INTERNAL_SERVER_ERROR, graphql::Media::Json, &answer)
}
