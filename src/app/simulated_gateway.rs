//! The doors of the simulated payment gateway: the page of its customers, and a server that speaks as Stripe does.

use std::sync::Arc;

use crate::adapters::gateway::simulated::SimulatedGateway;
use crate::adapters::gateway::simulated::dialect::{Call, Reply};
use crate::http;

/// Connects the payment page with the simulated gateway, for the actions of customers.
pub(super) fn payment_page(gateway: SimulatedGateway) -> http::Confirm {
    Arc::new(move |id, token, visit| match visit {
        _ if !gateway.is_page_of(id, token) => false,
        http::Visit::Opens => true,
        http::Visit::Confirms => gateway.authenticate(id, true),
        http::Visit::GivesUp => gateway.authenticate(id, false),
    })
}

/// Returns the simulated gateway as a separate server with Stripe's API.
pub fn stripe_face(gateway: SimulatedGateway) -> axum::Router {
    let confirm = payment_page(gateway.clone());
    let answer = move |call: http::StripeCall| {
        let reply = gateway.answer(&Call {
            method: call.method,
            path: call.path,
            query: call.query,
            authorization: call.authorization,
            idempotency_key: call.idempotency_key,
            body: call.body,
        });
        match reply {
            Reply::Answer {
                status,
                body,
                is_replay,
            } => http::StripeReply::Answer(status, body, is_replay),
            Reply::Silence => http::StripeReply::Silence,
            Reply::Lost => http::StripeReply::Lost,
        }
    };
    http::stripe_face(Arc::new(answer), confirm)
}
