//! GraphQL over HTTP: what is asked is checked, who asks is signed in and charged, and only POST changes things.

use std::collections::HashMap;
use std::net::SocketAddr;

use axum::Extension;
use axum::body::Body;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::HeaderMap;

use super::SharedDoor;
use super::allowance::Payer;
use super::answer::{Rejection, Reply};
use super::auth::{self, Refused};
use super::log::{self, RequestId};
use super::media::Media;
use super::parameters;
use crate::graphql::{ApiError, OperationKind, Parameters};

/// Who calls, from where, and what their answer is to look like.
pub(super) struct Exchange {
    headers: HeaderMap,
    remote: SocketAddr,
    reply: Reply,
}

impl Exchange {
    fn begin(headers: HeaderMap, remote: SocketAddr, request_id: RequestId) -> Result<Self, axum::response::Response> {
        let request_id = Some(request_id);
        match Media::accepted(&headers) {
            Some(media) => Ok(Self {
                headers,
                remote,
                reply: Reply { media, request_id },
            }),
            None => {
                let media = Media::Json;
                Err(Reply { media, request_id }.reject(Rejection::NotAcceptable))
            }
        }
    }
}

pub(super) async fn post(
    State(door): State<SharedDoor>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    body: Body,
) -> axum::response::Response {
    let exchange = match Exchange::begin(headers, remote, request_id) {
        Ok(exchange) => exchange,
        Err(answer) => return answer,
    };
    let parameters = parameters::read(&exchange.headers, body, door.settings.body_timeout).await;
    respond(&door, &exchange, parameters, false).await
}

pub(super) async fn get(
    State(door): State<SharedDoor>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    Query(parameters): Query<HashMap<String, String>>,
) -> axum::response::Response {
    let exchange = match Exchange::begin(headers, remote, request_id) {
        Ok(exchange) => exchange,
        Err(answer) => return answer,
    };
    respond(&door, &exchange, parameters::from_url(parameters), true).await
}

async fn respond(
    door: &SharedDoor,
    exchange: &Exchange,
    parameters: Result<Parameters, Rejection>,
    by_get: bool,
) -> axum::response::Response {
    let executed = match parameters {
        Ok(parameters) => execute(door, exchange, parameters, by_get).await,
        Err(rejection) => Err(rejection),
    };
    match executed {
        Ok(response) => exchange.reply.answer(response),
        Err(rejection) => exchange.reply.reject(rejection),
    }
}

async fn execute(
    door: &SharedDoor,
    exchange: &Exchange,
    parameters: Parameters,
    by_get: bool,
) -> Result<async_graphql::Response, Rejection> {
    // Before sign-in: what is too much to look at costs no statement.
    let operation = door.schema.check(parameters).map_err(Rejection::Refused)?;
    log::operation(&operation);
    match operation.kind {
        OperationKind::Subscription => return Err(Rejection::NotAStream),
        OperationKind::Mutation if by_get => return Err(Rejection::MutationByGet),
        OperationKind::Mutation | OperationKind::Query => {}
    }
    let caller = match auth::caller(&exchange.headers, &door.services.sign_in).await {
        Ok(caller) => caller,
        Err(Refused::Unauthenticated(message)) => {
            // Guessing at credentials is paid for by the address that it comes from.
            door.charge(&Payer::address(exchange.remote.ip()), operation.cost)
                .map_err(Rejection::Refused)?;
            return Err(Rejection::Unauthenticated(message));
        }
        Err(Refused::Fault(fault)) => return Err(Rejection::Refused(Box::new(ApiError::from(fault).into_response()))),
    };
    if caller.is_none() && !operation.is_introspection {
        let message = "sign in: send `Authorization: Bearer <token or API key>`";
        return Err(Rejection::Unauthenticated(message.to_owned()));
    }
    let payer = Payer::of(caller.as_ref(), exchange.remote.ip());
    Ok(door.execute(operation, caller, &payer).await)
}
