//! GraphQL over WebSocket, only with the subprotocol `graphql-transport-ws`.
//!
//! The router calls it for an upgrade of `/graphql`. [`protocol`] is a pure state machine that decides what to do; [`socket`] does
//! it. Invariants:
//! - A socket is one task, and its operations have none.
//! - Only signed-in callers run operations.
//! - Nothing is produced that the client does not read.
//! - Everything is freed when the socket ends, however it ends.

mod frames;
mod message;
mod operations;
mod protocol;
mod socket;

use std::net::IpAddr;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;

use super::SharedHttpState;
use super::auth;
use super::server::ConnectionSlot;
use protocol::{Close, Now, Protocol};
use socket::Opened;

pub use protocol::SocketLimits;

const SUBPROTOCOL: &str = "graphql-transport-ws";

/// Returns whether the request asks for a socket.
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    let upgrade = headers.get(header::UPGRADE);
    upgrade.is_some_and(|upgrade| upgrade.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Responds to a request for a socket, and runs it.
pub(super) fn upgrade(state: &SharedHttpState, remote: IpAddr, mut request: Request) -> Response {
    let settings = &state.settings;
    if !state
        .origins
        .may_connect(request.headers(), settings.public_url.as_deref())
    {
        return refused(
            StatusCode::FORBIDDEN,
            "Pages of this origin are not allowed to connect.\n",
        );
    }
    let Ok(mut response) = create_response_with_body(&request, Body::empty) else {
        return bad_handshake(request.headers());
    };
    let is_offered = offers_subprotocol(request.headers());
    let slot: Option<ConnectionSlot> = request.extensions_mut().remove();
    let slot = slot.map(|slot| slot.stay(&state.addresses, remote));
    // They contain the client's spelling of its header names, which the response repeats.
    *response.extensions_mut() = request.extensions().clone();
    // Browsers can read the reason of a refusal only from a socket.
    let refused = if is_offered {
        let is_full = matches!(slot, Some(None));
        is_full.then(|| Close::overload("This address has too many connections: close some"))
    } else {
        Some(Close::subprotocol())
    };
    if is_offered {
        let subprotocol = HeaderValue::from_static(SUBPROTOCOL);
        response
            .headers_mut()
            .insert(header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
    }
    let opened = Opened {
        limits: settings.sockets,
        live_connection: state.live_connections.take(),
        credential: auth::bearer(request.headers()).map(str::to_owned),
        slot: slot.flatten(),
        remote,
        protocol: Protocol::new(settings.sockets, Now::of(&state.services.clock)),
        refused,
        state: state.clone(),
    };
    let upgraded = hyper::upgrade::on(&mut request);
    state.sockets.spawn(async move {
        // If the client has left before the upgrade, there is nothing to run.
        if let Ok(upgraded) = upgraded.await {
            socket::run(upgraded, opened).await;
        }
    });
    response
}

fn offers_subprotocol(headers: &HeaderMap) -> bool {
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let mut offered = offered
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    offered.any(|name| name.trim() == SUBPROTOCOL)
}

fn bad_handshake(headers: &HeaderMap) -> Response {
    const VERSION: HeaderName = header::SEC_WEBSOCKET_VERSION;
    if headers.get(VERSION).is_some_and(|version| version != "13") {
        let mut response = refused(
            StatusCode::UPGRADE_REQUIRED,
            "Only version 13 of WebSocket is supported.\n",
        );
        response.headers_mut().insert(VERSION, HeaderValue::from_static("13"));
        return response;
    }
    refused(StatusCode::BAD_REQUEST, "This is not a WebSocket handshake.\n")
}

fn refused(status: StatusCode, text: &'static str) -> Response {
    (status, text).into_response()
}
