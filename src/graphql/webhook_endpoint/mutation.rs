//! Mutations of webhook endpoints and their messages.

use std::collections::BTreeSet;

use async_graphql::{InputObject, MaybeUndefined};

use super::endpoint::{WebhookEndpoint, WebhookEventType};
use super::entry_filter;
use super::message::WebhookMessage;
use crate::domain::webhook_endpoint::model::{self, EndpointPatch, NewEndpoint};
use crate::domain::webhook_endpoint::{NewSecret, Replayed};
use crate::graphql::context::Scope;
use crate::graphql::id::{Id, Named};
use crate::graphql::inputs::{changed, patched};
use crate::graphql::ledger::CreditLogFilter;
use crate::graphql::payload::{mutations, payload};
use crate::graphql::refusals::Failure;
use crate::graphql::scalars::LiveCursorText;
use crate::primitives::actor::Actor;
use crate::primitives::change::Change;
use crate::primitives::ids::{AccountId, WebhookEndpointId, WebhookMessageId};

/// A webhook endpoint to create.
#[derive(InputObject, Debug)]
pub(crate) struct CreateWebhookEndpointInput {
    /// The account whose events it gets. May be left out by a member, or by a key that belongs to one account. A platform key that
    /// leaves it out creates an endpoint of the platform, which gets the events of all accounts.
    account_id: Option<Id<AccountId>>,
    /// Where messages go: an `https://` URL of a public address, of at most 2,000 characters.
    url: String,
    /// A note of at most 500 characters.
    #[graphql(default_with = "Some(String::new())")]
    description: Option<String>,
    /// The types of events that it gets. When left out or empty: all, also those that are added later.
    event_types: Option<Vec<WebhookEventType>>,
    /// It gets the entries that this filter lists; all when left out. Only with `eventTypes: [CREDIT_ENTRY_POSTED]`, because other types are
    /// not filtered. Needs the permission `READ_CREDIT_LOG` too. Ids must belong to the account, and no list may be empty. An endpoint of the
    /// platform filters by what all accounts have: kinds, amounts, days, words, and API keys of the platform.
    entry_filter: Option<CreditLogFilter>,
}

/// Changes to a webhook endpoint. Fields that are left out do not change.
#[derive(InputObject, Debug)]
pub(crate) struct UpdateWebhookEndpointInput {
    /// The endpoint.
    webhook_endpoint_id: Id<WebhookEndpointId>,
    /// Where messages go.
    url: MaybeUndefined<String>,
    /// A note of at most 500 characters.
    description: MaybeUndefined<String>,
    /// The complete list of the types of events that it gets. Empty for all.
    event_types: MaybeUndefined<Vec<WebhookEventType>>,
    /// It gets the entries that this filter lists, from now on; as in createWebhookEndpoint. The complete filter: null removes it.
    entry_filter: MaybeUndefined<CreditLogFilter>,
    /// Whether it gets messages. One that is enabled again gets the events from now on: send earlier ones with replayWebhooks.
    enabled: MaybeUndefined<bool>,
    /// Refused as `VERSION_CONFLICT` when this is not the current version.
    expected_version: Option<i32>,
}

/// A webhook endpoint to delete.
#[derive(InputObject, Debug)]
pub(crate) struct DeleteWebhookEndpointInput {
    /// The endpoint.
    webhook_endpoint_id: Id<WebhookEndpointId>,
}

/// A webhook endpoint that gets a new secret.
#[derive(InputObject, Debug)]
pub(crate) struct RotateWebhookEndpointSecretInput {
    /// The endpoint.
    webhook_endpoint_id: Id<WebhookEndpointId>,
}

/// A webhook endpoint to try.
#[derive(InputObject, Debug)]
pub(crate) struct SendTestWebhookInput {
    /// The endpoint.
    webhook_endpoint_id: Id<WebhookEndpointId>,
}

/// A webhook message to send again.
#[derive(InputObject, Debug)]
pub(crate) struct RetryWebhookMessageInput {
    /// The message.
    webhook_message_id: Id<WebhookMessageId>,
}

/// Events to send to a webhook endpoint again.
#[derive(InputObject, Debug)]
pub(crate) struct ReplayWebhooksInput {
    /// The endpoint.
    webhook_endpoint_id: Id<WebhookEndpointId>,
    /// The account of the events. Required for an endpoint of the platform; otherwise that of the endpoint.
    account_id: Option<Id<AccountId>>,
    /// The events after this cursor are sent: `liveCursor` of a message, or of the account.
    after: LiveCursorText,
}

payload! {
    /// The result of createWebhookEndpoint.
    CreateWebhookEndpointPayload
    from NewSecret => {
        /// The new endpoint. Null when refused.
        async fn webhook_endpoint(&self) -> Option<WebhookEndpoint> {
            self.0.done.as_ref().map(|made| WebhookEndpoint::new(made.endpoint.clone()))
        }

        /// The secret that signs messages, `whsec_…`: shown once. Null when refused.
        async fn secret(&self) -> Option<&str> {
            self.0.done.as_ref().map(|made| made.secret.as_str())
        }
    }
}

payload! {
    /// The result of updateWebhookEndpoint.
    UpdateWebhookEndpointPayload
    from model::WebhookEndpoint => {
        /// The current endpoint. Null when refused, except for `VERSION_CONFLICT`.
        async fn webhook_endpoint(&self) -> Option<WebhookEndpoint> {
            self.0.current().cloned().map(WebhookEndpoint::new)
        }
    }
}

payload! {
    /// The result of deleteWebhookEndpoint.
    DeleteWebhookEndpointPayload
    from model::WebhookEndpoint => {
        /// The deleted endpoint. Null when refused.
        async fn webhook_endpoint(&self) -> Option<WebhookEndpoint> {
            self.0.done.clone().map(WebhookEndpoint::new)
        }
    }
}

payload! {
    /// The result of rotateWebhookEndpointSecret.
    RotateWebhookEndpointSecretPayload
    from NewSecret => {
        /// The endpoint. Null when refused.
        async fn webhook_endpoint(&self) -> Option<WebhookEndpoint> {
            self.0.done.as_ref().map(|made| WebhookEndpoint::new(made.endpoint.clone()))
        }

        /// The new secret, `whsec_…`: shown once. Null when refused.
        async fn secret(&self) -> Option<&str> {
            self.0.done.as_ref().map(|made| made.secret.as_str())
        }
    }
}

payload! {
    /// The result of sendTestWebhook.
    SendTestWebhookPayload,
    /// The result of retryWebhookMessage.
    RetryWebhookMessagePayload
    from model::WebhookMessage => {
        /// The message, which is sent at once. Null when refused.
        async fn webhook_message(&self) -> Option<WebhookMessage> {
            self.0.done.clone().map(WebhookMessage::new)
        }
    }
}

payload! {
    /// The result of replayWebhooks.
    ReplayWebhooksPayload
    from Replayed => {
        /// The endpoint. Null when refused.
        async fn webhook_endpoint(&self) -> Option<WebhookEndpoint> {
            self.0.done.as_ref().map(|replayed| WebhookEndpoint::new(replayed.endpoint.clone()))
        }

        /// The number of messages that are sent. Null when refused.
        async fn message_count(&self) -> Option<i32> {
            let replayed = self.0.done.as_ref()?;
            Some(i32::try_from(replayed.messages).unwrap_or(i32::MAX))
        }

        /// The position of the last event that was examined. Null when refused.
        async fn cursor(&self) -> Option<LiveCursorText> {
            self.0.done.as_ref().map(|replayed| LiveCursorText(replayed.cursor.encode()))
        }

        /// Whether there are later events: then call it again with `after: cursor`. Null when refused.
        async fn has_more(&self) -> Option<bool> {
            self.0.done.as_ref().map(|replayed| replayed.has_more)
        }
    }
}

fn event_types(types: Vec<WebhookEventType>) -> Result<BTreeSet<model::WebhookEventType>, Failure> {
    if types.len() > 100 {
        return Err(Failure::invalid("eventTypes", "must have at most 100 values"));
    }
    Ok(types.into_iter().map(Into::into).collect())
}

async fn create(scope: &Scope, input: CreateWebhookEndpointInput) -> Result<NewSecret, Failure> {
    let account_id = match (input.account_id, scope.actor()) {
        (None, Actor::ApiKey { account_id, .. }) => *account_id,
        (named, _) => scope.account_for(named)?,
    };
    let new = NewEndpoint {
        url: input.url,
        description: input.description.unwrap_or_default(),
        event_types: event_types(input.event_types.unwrap_or_default())?,
        entry_filter: match input.entry_filter {
            Some(filter) => entry_filter::parse(account_id, filter)?,
            None => None,
        },
    };
    let endpoints = &scope.services.webhook_endpoints;
    Ok(endpoints.create(scope.actor(), account_id, new).await?)
}

async fn update(scope: &Scope, input: UpdateWebhookEndpointInput) -> Result<model::WebhookEndpoint, Failure> {
    let (account_id, id) = scope.object(input.webhook_endpoint_id)?;
    let chosen = patched("eventTypes", input.event_types)?;
    let patch = EndpointPatch {
        expected_version: input.expected_version,
        url: patched("url", input.url)?,
        description: patched("description", input.description)?,
        event_types: chosen.map(event_types).transpose()?,
        entry_filter: match changed(input.entry_filter) {
            Change::Set(filter) => entry_filter::parse(account_id, filter)?.map_or(Change::Clear, Change::Set),
            Change::Clear => Change::Clear,
            Change::Keep => Change::Keep,
        },
        enabled: patched("enabled", input.enabled)?,
    };
    let endpoints = &scope.services.webhook_endpoints;
    Ok(endpoints.update(scope.actor(), account_id, id, patch).await?)
}

async fn delete(scope: &Scope, input: DeleteWebhookEndpointInput) -> Result<model::WebhookEndpoint, Failure> {
    let (account_id, id) = scope.object(input.webhook_endpoint_id)?;
    let endpoints = &scope.services.webhook_endpoints;
    Ok(endpoints.delete(scope.actor(), account_id, id).await?)
}

async fn rotate(scope: &Scope, input: RotateWebhookEndpointSecretInput) -> Result<NewSecret, Failure> {
    let (account_id, id) = scope.object(input.webhook_endpoint_id)?;
    let endpoints = &scope.services.webhook_endpoints;
    Ok(endpoints.rotate(scope.actor(), account_id, id).await?)
}

async fn send_test(scope: &Scope, input: SendTestWebhookInput) -> Result<model::WebhookMessage, Failure> {
    let endpoint = scope.object(input.webhook_endpoint_id)?;
    Ok(scope
        .services
        .webhook_messages
        .send_test(scope.actor(), endpoint)
        .await?)
}

async fn retry(scope: &Scope, input: RetryWebhookMessageInput) -> Result<model::WebhookMessage, Failure> {
    let (account_id, id) = scope.object(input.webhook_message_id)?;
    let messages = &scope.services.webhook_messages;
    Ok(messages.retry(scope.actor(), account_id, id).await?)
}

async fn replay(scope: &Scope, input: ReplayWebhooksInput) -> Result<Replayed, Failure> {
    let endpoint = scope.object(input.webhook_endpoint_id)?;
    let account_id = match input.account_id {
        Some(named) => {
            let parts = named
                .parts()
                .filter(|(account_id, _)| scope.actor().reaches(*account_id));
            let missing = || Failure::not_found(AccountId::FIELD, AccountId::WHAT);
            Some(parts.ok_or_else(missing)?.0)
        }
        None => None,
    };
    let messages = &scope.services.webhook_messages;
    let replayed = messages.replay(scope.actor(), endpoint, account_id, &input.after.0);
    Ok(replayed.await?)
}

mutations! {
    /// Mutations of webhook endpoints.
    EndpointMutation {
        /// Creates an endpoint that gets a message about each event from now on: at most 20 per account, and 20 of the platform. The
        /// secret that signs its messages is in the payload, and is not shown again.
        /// [auth: `MANAGE_SETTINGS`; for an endpoint of the platform: platform key with `MANAGE_ACCOUNTS`]
        create_webhook_endpoint(CreateWebhookEndpointInput: "The new endpoint.")
            -> CreateWebhookEndpointPayload = create;

        /// Changes the URL, the note, the types of events or the filter of a webhook endpoint, or enables or disables it.
        /// [auth: `MANAGE_SETTINGS`; for an endpoint of the platform: platform key with `MANAGE_ACCOUNTS`]
        update_webhook_endpoint(UpdateWebhookEndpointInput: "The changes.")
            -> UpdateWebhookEndpointPayload = update;

        /// Deletes a webhook endpoint: it gets nothing more. A repeated call changes nothing.
        /// [auth: `MANAGE_SETTINGS`; for an endpoint of the platform: platform key with `MANAGE_ACCOUNTS`]
        delete_webhook_endpoint(DeleteWebhookEndpointInput: "The endpoint to delete.")
            -> DeleteWebhookEndpointPayload = delete;

        /// Makes a new secret for a webhook endpoint. For 24 hours messages are signed with the old one too, so that the receiver can be
        /// changed meanwhile. After a leak call it twice: then the leaked one signs nothing more.
        /// [auth: `MANAGE_SETTINGS`; for an endpoint of the platform: platform key with `MANAGE_ACCOUNTS`]
        rotate_webhook_endpoint_secret(RotateWebhookEndpointSecretInput: "The endpoint.")
            -> RotateWebhookEndpointSecretPayload = rotate;

        /// Sends a message of type `webhook.test` to a webhook endpoint: at most 60 per hour.
        /// [auth: `MANAGE_SETTINGS`; for an endpoint of the platform: platform key with `MANAGE_ACCOUNTS`]
        send_test_webhook(SendTestWebhookInput: "The endpoint to try.") -> SendTestWebhookPayload = send_test;

        /// Sends a webhook message again, under the same id, or at once if it waits for its next attempt. One that is being sent does not
        /// change. [auth: `MANAGE_SETTINGS`; for an endpoint of the platform: platform key with `MANAGE_ACCOUNTS`]
        retry_webhook_message(RetryWebhookMessageInput: "The message to send again.")
            -> RetryWebhookMessagePayload = retry;

        /// Sends the events after a cursor to a webhook endpoint, also those from before it existed: those of its types, and listed by its
        /// filter, among the next 500 events. Messages that were sent before keep their ids.
        /// [auth: `MANAGE_SETTINGS`; for an endpoint of the platform: platform key with `MANAGE_ACCOUNTS`]
        replay_webhooks(ReplayWebhooksInput: "The endpoint, and the events.") -> ReplayWebhooksPayload = replay;
    }
}
