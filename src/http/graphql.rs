//! GraphQL over HTTP: what is asked is checked, who asks is signed in and charged, and only POST changes things.

use std::collections::HashMap;
use std::net::SocketAddr;

use async_graphql::Response;
use axum::Extension;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::HeaderMap;

use super::allowance::Payer;
use super::answer::{Rejection, Reply};
use super::auth::{self, Refused};
use super::log::{self, RequestId};
use super::media::Media;
use super::parameters;
use super::{Door, SharedDoor};
use crate::graphql::{ApiError, OperationKind, Parameters};

pub(super) async fn post(
    State(door): State<SharedDoor>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    body: Body,
) -> axum::response::Response {
    let exchange = Exchange::begin(headers, remote, request_id);
    let ended = exchange.post(&door, body).await;
    exchange.reply.end(ended)
}

pub(super) async fn get(
    State(door): State<SharedDoor>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    parameters: Result<Query<HashMap<String, String>>, QueryRejection>,
) -> axum::response::Response {
    let exchange = Exchange::begin(headers, remote, request_id);
    let ended = exchange.get(&door, parameters.ok()).await;
    exchange.reply.end(ended)
}

/// Who calls, from where, and what their answer is to look like.
struct Exchange {
    headers: HeaderMap,
    remote: SocketAddr,
    reply: Reply,
    is_acceptable: bool,
}

impl Exchange {
    fn begin(headers: HeaderMap, remote: SocketAddr, request_id: RequestId) -> Self {
        let accepted = Media::accepted(&headers);
        Self {
            headers,
            remote,
            reply: Reply {
                media: accepted.unwrap_or(Media::Json),
                request_id: Some(request_id),
            },
            is_acceptable: accepted.is_some(),
        }
    }

    async fn post(&self, door: &Door, body: Body) -> Result<Response, Rejection> {
        if !self.is_acceptable {
            return Err(Rejection::NotAcceptable);
        }
        let parameters = parameters::read(&self.headers, body, door.settings.body_timeout).await?;
        self.execute(door, parameters, false).await
    }

    async fn get(
        &self,
        door: &Door,
        parameters: Option<Query<HashMap<String, String>>>,
    ) -> Result<Response, Rejection> {
        if !self.is_acceptable {
            return Err(Rejection::NotAcceptable);
        }
        let Some(Query(parameters)) = parameters else {
            return Err(Rejection::Malformed(
                "the parameters of the address cannot be read".to_owned(),
            ));
        };
        self.execute(door, parameters::from_url(parameters)?, true).await
    }

    async fn execute(&self, door: &Door, parameters: Parameters, by_get: bool) -> Result<Response, Rejection> {
        // Before sign-in: what is too much to look at costs no statement.
        let operation = door.schema.check(parameters).map_err(Rejection::Refused)?;
        log::operation(&operation);
        match operation.kind {
            OperationKind::Subscription => return Err(Rejection::NotAStream),
            OperationKind::Mutation if by_get => return Err(Rejection::MutationByGet),
            OperationKind::Mutation | OperationKind::Query => {}
        }
        let caller = match auth::caller(&self.headers, &door.services.sign_in).await {
            Ok(caller) => caller,
            Err(Refused::Unauthenticated(message)) => {
                // Guessing at credentials is paid for by the address that it comes from.
                let charged = door.charge(&Payer::address(self.remote.ip()), operation.cost);
                charged.map_err(Rejection::Refused)?;
                return Err(Rejection::Unauthenticated(message));
            }
            Err(Refused::Fault(fault)) => {
                let response = ApiError::from(fault).into_response();
                return Err(Rejection::Refused(Box::new(response)));
            }
        };
        if caller.is_none() && !operation.is_introspection {
            let message = "sign in: send `Authorization: Bearer <token or API key>`";
            return Err(Rejection::Unauthenticated(message.to_owned()));
        }
        let payer = Payer::of(caller.as_ref(), self.remote.ip());
        Ok(door.execute(operation, caller, &payer).await)
    }
}
