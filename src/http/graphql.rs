//! GraphQL over HTTP: checks the operation, signs in the caller, charges the cost, and accepts mutations by POST
//! only.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{ConnectInfo, Query, Request, State};
use axum::http::HeaderMap;

use super::allowance::Payer;
use super::answer::{Executed, Rejection, Reply};
use super::auth::{self, Refused};
use super::language::Language;
use super::live_connections::ConnectionRefusal;
use super::log::{self, RequestId};
use super::media::Media;
use super::operation::Running;
use super::pages;
use super::parameters;
use super::server::ConnectionSlot;
use super::sse;
use super::traffic::Timing;
use super::ws;
use super::{HttpState, Introspection, SharedHttpState};
use crate::graphql::{ApiError, Caller, Operation, OperationKind, Parameters};

pub(super) async fn post(
    State(state): State<SharedHttpState>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    Extension(request_id): Extension<RequestId>,
    Extension(slot): Extension<ConnectionSlot>,
    headers: HeaderMap,
    body: Body,
) -> axum::response::Response {
    let mut timing = state.traffic.time();
    let mut exchange = Exchange::begin(&state, headers, remote, request_id);
    exchange.slot = Some(slot);
    if sse::is_wanted(&exchange.headers) {
        let parameters = parameters::read(&exchange.headers, body, state.settings.http.body_timeout).await;
        return exchange.stream(&state, timing, parameters, false).await;
    }
    let ended = exchange.post(&state, &mut timing, body).await;
    exchange.reply.end(ended)
}

pub(super) async fn get(
    State(state): State<SharedHttpState>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    Extension(request_id): Extension<RequestId>,
    parameters: Result<Query<HashMap<String, String>>, QueryRejection>,
    request: Request,
) -> axum::response::Response {
    if ws::is_wanted(request.headers()) {
        return ws::upgrade(&state, remote.ip(), request);
    }
    if !sse::is_wanted(request.headers())
        && let Some(page) = pages::in_place_of_graphql(&state.settings.pages, request.headers())
    {
        return page;
    }
    let mut timing = state.traffic.time();
    let (mut head, _) = request.into_parts();
    let mut exchange = Exchange::begin(&state, head.headers, remote, request_id);
    exchange.slot = head.extensions.remove();
    if sse::is_wanted(&exchange.headers) {
        let parameters = from_address(parameters.ok());
        return exchange.stream(&state, timing, parameters, true).await;
    }
    let ended = exchange.get(&state, &mut timing, parameters.ok()).await;
    exchange.reply.end(ended)
}

/// Who sends the request, from which address, and how the response is formatted.
struct Exchange {
    headers: HeaderMap,
    remote: SocketAddr,
    /// The connection's slot among those allowed.
    slot: Option<ConnectionSlot>,
    reply: Reply,
    is_acceptable: bool,
}

impl Exchange {
    fn begin(state: &HttpState, headers: HeaderMap, remote: SocketAddr, request_id: RequestId) -> Self {
        let accepted = Media::accepted(&headers);
        let language = Language::asked_for(&headers, &state.services.wording);
        Self {
            headers,
            remote,
            slot: None,
            reply: Reply {
                media: accepted.unwrap_or(Media::Json),
                request_id: Some(request_id),
                language,
            },
            is_acceptable: accepted.is_some(),
        }
    }

    async fn post(&self, state: &HttpState, timing: &mut Timing, body: Body) -> Result<Executed, Rejection> {
        if !self.is_acceptable {
            return Err(Rejection::NotAcceptable);
        }
        let parameters = parameters::read(&self.headers, body, state.settings.http.body_timeout).await?;
        self.execute(state, timing, parameters, false).await
    }

    async fn get(
        &self,
        state: &HttpState,
        timing: &mut Timing,
        parameters: Option<Query<HashMap<String, String>>>,
    ) -> Result<Executed, Rejection> {
        if !self.is_acceptable {
            return Err(Rejection::NotAcceptable);
        }
        self.execute(state, timing, from_address(parameters)?, true).await
    }

    async fn execute(
        &self,
        state: &HttpState,
        timing: &mut Timing,
        parameters: Parameters,
        by_get: bool,
    ) -> Result<Executed, Rejection> {
        // Runs before sign-in: an operation above the limits costs no statement.
        let operation = state.schema.check(parameters).map_err(Rejection::Refused)?;
        log::operation(&operation);
        timing.set_kind(operation.kind);
        match operation.kind {
            OperationKind::Subscription => return Err(Rejection::NotAStream),
            OperationKind::Mutation if by_get => return Err(Rejection::MutationByGet),
            OperationKind::Mutation | OperationKind::Query => {}
        }
        let caller = self.caller(state, &operation).await?;
        let payer = Payer::of(caller.as_ref(), self.remote.ip());
        Ok(state.execute(operation, caller, &payer).await)
    }

    /// Returns who makes the request; `None` only where no sign-in is required.
    async fn caller(&self, state: &HttpState, operation: &Operation) -> Result<Option<Caller>, Rejection> {
        let language = self
            .reply
            .language
            .as_ref()
            .map(|language| Arc::clone(&language.locale));
        let caller = match auth::caller(&self.headers, &state.services.sign_in).await {
            Ok(caller) => caller.map(|caller| Caller { language, ..caller }),
            Err(Refused::Unauthenticated(message)) => {
                // The address pays for each guess at credentials.
                let charged = state.charge_guess(self.remote.ip(), operation.cost);
                charged.map_err(Rejection::Refused)?;
                return Err(Rejection::Unauthenticated(message));
            }
            Err(Refused::Fault(fault)) => {
                let response = ApiError::from(fault).into_response();
                return Err(Rejection::Refused(Box::new(response)));
            }
        };
        let is_open = operation.is_introspection && state.settings.introspection == Introspection::Anyone;
        if caller.is_none() && !is_open {
            return Err(unauthenticated());
        }
        Ok(caller)
    }

    /// Responds with an event stream.
    async fn stream(
        &self,
        state: &SharedHttpState,
        timing: Timing,
        parameters: Result<Parameters, Rejection>,
        by_get: bool,
    ) -> axum::response::Response {
        let begun = self.begin_stream(state, timing, parameters, by_get).await;
        begun.unwrap_or_else(|rejection| self.reply.end(Err(rejection)))
    }

    async fn begin_stream(
        &self,
        state: &SharedHttpState,
        mut timing: Timing,
        parameters: Result<Parameters, Rejection>,
        by_get: bool,
    ) -> Result<axum::response::Response, Rejection> {
        let operation = match state.schema.check(parameters?) {
            Ok(operation) => operation,
            // Browsers can read errors of an operation only in the stream.
            Err(response) => return Ok(sse::refuse(&response)),
        };
        log::operation(&operation);
        timing.set_kind(operation.kind);
        if by_get && operation.kind == OperationKind::Mutation {
            return Err(Rejection::MutationByGet);
        }
        let caller = self.caller(state, &operation).await?.ok_or_else(unauthenticated)?;
        if state.stopping.is_cancelled() {
            return Err(Rejection::Stopping);
        }
        let slot = self
            .slot
            .clone()
            .map(|slot| slot.stay(&state.addresses, self.remote.ip()));
        if matches!(slot, Some(None)) {
            return Err(Rejection::TooManyConnections(ConnectionRefusal::Address));
        }
        let mut live_connection = state.live_connections.take();
        live_connection
            .hold(&caller.actor)
            .map_err(Rejection::TooManyConnections)?;
        let expires_at = caller.expires_at;
        let after = sse::last_event_id(&self.headers).map(str::to_owned);
        let signed_in = std::future::ready(Ok(caller));
        timing.leave_to_operation();
        let running = Running::begin(state, signed_in, self.remote.ip(), operation, after);
        Ok(sse::respond(
            state,
            (live_connection, slot.flatten()),
            running,
            expires_at,
        ))
    }
}

fn from_address(parameters: Option<Query<HashMap<String, String>>>) -> Result<Parameters, Rejection> {
    let unreadable = || Rejection::Malformed("the parameters of the URL cannot be read".to_owned());
    parameters::from_url(parameters.ok_or_else(unreadable)?.0)
}

fn unauthenticated() -> Rejection {
    Rejection::Unauthenticated("sign in: send `Authorization: Bearer <token or API key>`".to_owned())
}
