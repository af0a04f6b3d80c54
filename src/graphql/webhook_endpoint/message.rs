//! Messages to endpoints, and their attempts.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use super::endpoint::WebhookEndpoint;
use crate::domain::filter::{AnyOf, key};
use crate::domain::webhook_endpoint::{self, model};
use crate::graphql::by_id::existing;
use crate::graphql::connection::{PageArguments, connection};
use crate::graphql::context::{Scope, public_id, scope};
use crate::graphql::errors::ApiError;
use crate::graphql::id::Id;
use crate::primitives::clock::Timestamp;
use crate::primitives::cursor::CursorScope;
use crate::primitives::ids::AccountId;

/// What became of a webhook message.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::WebhookMessageStatus")]
pub(crate) enum WebhookMessageStatus {
    /// It waits for its next attempt: see nextAttemptAt.
    Pending,
    /// It is being sent.
    Sending,
    /// The endpoint accepted it.
    Delivered,
    /// It was given up: after ten attempts in about three days, or because the endpoint is gone.
    Failed,
    /// It was not sent, because the endpoint was disabled or deleted before.
    Discarded,
}

/// Why an attempt to send a webhook message failed.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::WebhookFailure")]
pub(crate) enum WebhookFailure {
    /// The name of the host has no address.
    NameNotResolved,
    /// The host is internal: messages go to public addresses only.
    AddressNotAllowed,
    /// No connection, or no valid certificate.
    NotConnected,
    /// No response within 15 seconds, or the time that the operator has set.
    TimedOut,
    /// The connection ended before the response.
    Interrupted,
    /// The response was a redirect. These are not followed: change the URL.
    Redirected,
    /// The response was 410 Gone, which disables the endpoint.
    Gone,
    /// The status of the response was not 2xx: see statusCode.
    StatusNotSuccessful,
}

/// Selects webhook messages that meet every given condition.
#[derive(InputObject, Clone, Debug, Default)]
pub(crate) struct WebhookMessageFilter {
    /// Only messages in these statuses.
    statuses: Option<Vec<WebhookMessageStatus>>,
}

/// One attempt to send a webhook message, after its end.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct WebhookAttempt {
    /// The number among the message's attempts, from 1. An attempt that a crash of the server interrupted is missing.
    number: i32,
    /// When it began.
    started_at: Timestamp,
    /// How many milliseconds it took.
    duration_milliseconds: i32,
    /// The status of the response. Null when there was none.
    status_code: Option<i32>,
    /// Why it failed. Null for a success.
    failure: Option<WebhookFailure>,
}

impl From<model::WebhookAttempt> for WebhookAttempt {
    fn from(attempt: model::WebhookAttempt) -> Self {
        Self {
            number: attempt.number,
            started_at: attempt.started_at,
            duration_milliseconds: i32::try_from(attempt.duration_millis).unwrap_or(i32::MAX),
            status_code: attempt.status_code,
            failure: attempt.failure.map(Into::into),
        }
    }
}

/// A message to a webhook endpoint.
#[derive(Clone, Debug)]
pub(crate) struct WebhookMessage(model::WebhookMessage);

impl WebhookMessage {
    pub(in crate::graphql) const fn new(message: model::WebhookMessage) -> Self {
        Self(message)
    }
}

/// A message to a webhook endpoint.
#[Object]
impl WebhookMessage {
    /// Opaque id, for `node` and retryWebhookMessage. Each attempt has it as `webhook-id`.
    pub(in crate::graphql) async fn id(&self) -> ID {
        public_id(self.0.id.global(self.0.account_id))
    }

    /// The endpoint that it goes to.
    async fn webhook_endpoint(&self, ctx: &Context<'_>) -> Result<WebhookEndpoint, ApiError> {
        existing(ctx, self.0.endpoint_account_id, self.0.endpoint_id).await
    }

    /// The `type` in the message, such as `credit_entry.posted`; `webhook.test` for a test.
    #[graphql(name = "type")]
    async fn event_type(&self) -> &str {
        &self.0.event_type
    }

    /// The body of the request, a JSON object, exactly as it is signed.
    async fn payload(&self) -> &str {
        &self.0.payload
    }

    /// The current status.
    async fn status(&self) -> WebhookMessageStatus {
        self.0.status.into()
    }

    /// When it is sent next. Null unless it is on its way.
    async fn next_attempt_at(&self) -> Option<Timestamp> {
        self.0.next_attempt_at
    }

    /// When it was created.
    async fn created_at(&self) -> Timestamp {
        self.0.created_at
    }

    /// When the endpoint accepted it. Null unless DELIVERED.
    async fn delivered_at(&self) -> Option<Timestamp> {
        self.0.delivered_at
    }

    /// The attempts to send it, the first one first.
    async fn attempts(&self, ctx: &Context<'_>) -> Result<Vec<WebhookAttempt>, ApiError> {
        let attempts = scope(ctx)?
            .loaders
            .webhook_attempts(self.0.account_id, self.0.id)
            .await?;
        Ok(attempts.unwrap_or_default().into_iter().map(Into::into).collect())
    }
}

connection! {
    /// A page of webhook messages, newest first.
    WebhookMessageConnection, WebhookMessageEdge of WebhookMessage
}

/// Returns one page of the messages to an endpoint.
pub(super) async fn messages(
    scope: &Scope,
    endpoint: &model::WebhookEndpoint,
    account_id: Option<Id<AccountId>>,
    filter: Option<WebhookMessageFilter>,
    (first, after): (Option<i32>, Option<String>),
) -> Result<WebhookMessageConnection, ApiError> {
    let of = (endpoint.account_id, endpoint.id);
    let about = match account_id {
        None => endpoint.account_id,
        Some(named) if of.0 == AccountId::PLATFORM => {
            let missing = || ApiError::invalid("accountId", "this account does not exist");
            named.parts().ok_or_else(missing)?.0
        }
        Some(named) => named.in_argument(endpoint.account_id)?,
    };
    let filter = webhook_endpoint::MessageFilter {
        statuses: AnyOf::new("filter.statuses", filter.and_then(|filter| filter.statuses))?,
    };
    let place = CursorScope::of(&[
        "webhook_messages",
        &about.number().to_string(),
        &endpoint.id.uuid().to_string(),
        &key(&filter)?,
    ]);
    let request = PageArguments::forward(first, after).request(place)?;
    let messages = &scope.services.webhook_messages;
    let page = messages.page(scope.actor(), of, about, &filter, &request).await?;
    Ok(WebhookMessageConnection::new(
        request.relay(page.map(WebhookMessage::new)),
    ))
}
