//! Whether the process lives, and whether it can work.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};

use super::SharedDoor;

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
    // A plain read: giving it up half-way leaves no transaction behind.
    let read = tokio::time::timeout(PATIENCE, door.services.accounts.installation()).await;
    let reason = match read {
        Ok(Ok(_)) => return Json(serde_json::json!({ "status": "ready" })).into_response(),
        Ok(Err(fault)) => fault.to_string(),
        Err(_) => "the database is too slow".to_owned(),
    };
    tracing::warn!(%reason, "not ready");
    let answer = Json(serde_json::json!({ "status": "unavailable", "database": "unavailable" }));
    (StatusCode::SERVICE_UNAVAILABLE, answer).into_response()
}
