//! Whether the process lives, and whether it can work.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;

use super::SharedDoor;
use crate::domain::Services;

/// Slower than this is as good as gone.
const PATIENCE: Duration = Duration::from_secs(3);

/// The process runs and answers. Says nothing about what it depends on: starting it again would not mend that.
pub(super) async fn live() -> Json<serde_json::Value> {
    Json(serde_json::json!({ "status": "live" }))
}

/// The database answers and has our tables, and the server is to go on.
pub(super) async fn ready(State(door): State<SharedDoor>) -> Response {
    if door.stopping.is_cancelled() {
        let answer = Json(serde_json::json!({ "status": "stopping" }));
        return (StatusCode::SERVICE_UNAVAILABLE, answer).into_response();
    }
    can_work(&door.services).await
}

/// The answer about health and nothing else, for connections beyond those allowed.
pub(super) fn routes(door: &SharedDoor) -> Router {
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .fallback(full)
        .with_state(SharedDoor::clone(door))
}

async fn full() -> Response {
    let text = "There are as many connections as may be, of this address or in all: close some, or try again later.\n";
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], text).into_response()
}

/// The database answers and has our tables.
pub(super) async fn can_work(services: &Services) -> Response {
    // A plain read: giving it up half-way leaves no transaction behind.
    let read = tokio::time::timeout(PATIENCE, services.accounts.installation()).await;
    let reason = match read {
        Ok(Ok(_)) => return Json(serde_json::json!({ "status": "ready" })).into_response(),
        Ok(Err(fault)) => fault.to_string(),
        Err(_) => "the database is too slow".to_owned(),
    };
    tracing::warn!(%reason, "not ready");
    let answer = Json(serde_json::json!({ "status": "unavailable", "database": "unavailable" }));
    (StatusCode::SERVICE_UNAVAILABLE, answer).into_response()
}
