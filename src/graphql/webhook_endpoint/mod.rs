//! Outgoing webhooks in the API: endpoints, messages and attempts. The webhooks of the payment gateway are in `top_up::operating`.
//!
//! The schema's roots call it. This module only converts types; the domain decides which endpoint gets which message.

mod endpoint;
mod entry_filter;
mod message;
mod mutation;
mod refusals;

pub(super) use endpoint::{EndpointQuery, WebhookEndpoint};
pub(super) use message::WebhookMessage;
pub(super) use mutation::{
    CreateWebhookEndpointPayload, DeleteWebhookEndpointPayload, EndpointMutation, ReplayWebhooksPayload,
    RetryWebhookMessagePayload, RotateWebhookEndpointSecretPayload, SendTestWebhookPayload,
    UpdateWebhookEndpointPayload,
};
