//! Reports whether the process is alive, and whether it can serve requests.
//!
//! Called by orchestrators. "live" fails when only a restart helps. "ready" fails when requests would currently fail.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde_json::{Value, json};

use super::SharedHttpState;
use crate::domain::Services;
use crate::domain::event::BELL;
use crate::domain::pulse::Limits;
use crate::primitives::clock::Clock;

/// The time limit for the database to answer a probe.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Worker loops beyond this make the process not ready. A watchdog cancels long runs later than this.
pub(super) const LATE: Limits = Limits {
    turn: Duration::from_mins(2),
    failing: Duration::from_secs(30),
    idle: Duration::from_secs(30),
};
/// Worker loops beyond this were not recovered by their watchdogs: the process must be restarted. A loop that only fails may
/// still recover.
const LOST: Limits = Limits {
    turn: Duration::from_mins(15),
    failing: Duration::MAX,
    idle: Duration::from_mins(15),
};

/// Succeeds if the process runs and can recover without a restart. It does not check dependencies: a restart would not
/// repair them.
pub(super) async fn live(State(state): State<SharedHttpState>) -> Response {
    live_of(&state.services)
}

/// Succeeds if a write is committed, the workers of this process make progress, and the server is not
/// stopping. Reports a bell that is silent, which makes live events late and nothing else.
pub(super) async fn ready(State(state): State<SharedHttpState>) -> Response {
    if state.stopping.is_cancelled() {
        return unavailable(json!({ "status": "stopping" }));
    }
    ready_of(&state.services).await
}

/// The routes of health alone, for connections beyond the limit.
pub(super) fn routes(state: &SharedHttpState) -> Router {
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .fallback(full)
        .with_state(SharedHttpState::clone(state))
}

async fn full() -> Response {
    let text =
        "The maximum number of connections is open, from this address or in total: close some, or try again later.\n";
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], text).into_response()
}

/// The same two paths, for a process that serves nothing else.
pub fn health(services: Services) -> Router {
    Router::new()
        .route("/health/live", get(live_alone))
        .route("/health/ready", get(ready_alone))
        .with_state(services)
}

async fn live_alone(State(services): State<Services>) -> Response {
    live_of(&services)
}

async fn ready_alone(State(services): State<Services>) -> Response {
    ready_of(&services).await
}

fn live_of(services: &Services) -> Response {
    let lost = services.pulse.late(LOST);
    if lost.is_empty() {
        return Json(json!({ "status": "live" })).into_response();
    }
    tracing::error!(workers = ?lost, "workers are stuck, and restarting them did not help");
    unavailable(json!({ "status": "stuck", "workers": lost }))
}

async fn ready_of(services: &Services) -> Response {
    if let Err(fault) = services.database.writes(TIMEOUT).await {
        let trouble = services.database.trouble().map(|(trouble, _)| trouble.name());
        tracing::warn!(%fault, trouble, "not ready: the database accepts no writes");
        let answer = json!({ "status": "unavailable", "database": "unavailable", "trouble": trouble });
        return unavailable(answer);
    }
    let mut late = services.pulse.late(LATE);
    let has_bell = !late.contains(&BELL);
    late.retain(|worker| *worker != BELL);
    if !late.is_empty() {
        tracing::warn!(workers = ?late, "not ready: workers fail");
        return unavailable(json!({ "status": "unavailable", "workers": late }));
    }
    let mut answer = json!({ "status": "ready" });
    if !has_bell {
        // Otherwise a bus that is down would take all servers out of service at once, and all of them work without it.
        answer["bell"] = "silent".into();
    }
    if let jumps @ 1.. = Clock::jumps() {
        answer["clockJumps"] = jumps.into();
    }
    Json(answer).into_response()
}

fn unavailable(answer: Value) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, Json(answer)).into_response()
}
