//! Endpoints that get messages about events.

use async_graphql::{Context, Enum, ID, Object};

use super::entry_filter::EntryFilter;
use super::message::{WebhookMessageConnection, WebhookMessageFilter, messages};
use crate::domain::webhook_endpoint::model;
use crate::graphql::context::{public_id, scope};
use crate::graphql::errors::{ApiError, Nullable, nullable, visible};
use crate::graphql::id::Id;
use crate::graphql::ledger::Actor;
use crate::graphql::member::Account;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::AccountId;

/// What a webhook message reports. The `type` in the message is the name in the description.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::WebhookEventType")]
pub(crate) enum WebhookEventType {
    /// `credit_entry.posted`: an entry was posted.
    CreditEntryPosted,
    /// `session.updated`: a session was booked, moved, ended or resolved, or part of its charge was returned.
    SessionUpdated,
    /// `top_up.updated`: a top-up changed.
    TopUpUpdated,
    /// `account.updated`: the account's settings or status changed.
    AccountUpdated,
    /// `auto_top_up.cap_reached`: the account's rule could not buy all that it wanted.
    CapReached,
    /// `member.updated`: a member was added, changed or removed.
    MemberUpdated,
    /// `api_key.updated`: an API key of the team was created or revoked.
    ApiKeyUpdated,
    /// `alert.raised`: an alert was raised.
    AlertRaised,
    /// `alert.resolved`: the condition of an alert has ended.
    AlertResolved,
    /// `troubleshooting.changed`: a problem has appeared, or was fixed. Only in accounts whose problems a client has followed.
    TroubleshootingChanged,
}

/// Why a webhook endpoint gets nothing.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::DisabledReason")]
pub(crate) enum WebhookEndpointDisabledReason {
    /// It was disabled by updateWebhookEndpoint.
    Requested,
    /// It answered 410 Gone.
    Gone,
    /// Every attempt failed for five days.
    Failing,
}

/// A URL that gets a message about each event.
#[derive(Clone, Debug)]
pub(crate) struct WebhookEndpoint(model::WebhookEndpoint);

impl WebhookEndpoint {
    pub(in crate::graphql) const fn new(endpoint: model::WebhookEndpoint) -> Self {
        Self(endpoint)
    }
}

/// A URL that gets a message about each event, by the Standard Webhooks specification. Messages contain ids: their receiver reads the
/// objects from this API.
#[allow(clippy::unused_async, reason = "the library's resolvers are asynchronous")]
#[Object]
impl WebhookEndpoint {
    /// Opaque id, for `node` and mutations.
    pub(in crate::graphql) async fn id(&self) -> ID {
        public_id(self.0.id.global(self.0.account_id))
    }

    /// The account whose events it gets. Null for an endpoint of the platform, which gets those of all accounts.
    async fn account(&self, ctx: &Context<'_>) -> Nullable<Account> {
        nullable(async {
            if self.0.account_id == AccountId::PLATFORM {
                return Ok(None);
            }
            let scope = scope(ctx)?;
            let account = scope.loaders.account(self.0.account_id).await?;
            Ok(account.map(|account| Account::known(scope, account)))
        })
        .await
    }

    /// Where messages go.
    async fn url(&self) -> &str {
        &self.0.url
    }

    /// The owner's note.
    async fn description(&self) -> &str {
        &self.0.description
    }

    /// The types of events that it gets. Empty for all, also those that are added later.
    async fn event_types(&self) -> Vec<WebhookEventType> {
        self.0.event_types.iter().map(|one| (*one).into()).collect()
    }

    /// Which entries it gets. Null for all entries of its account.
    async fn entry_filter(&self) -> Option<EntryFilter> {
        let filter = self.0.entry_filter.clone();
        filter.map(|filter| EntryFilter::new(self.0.account_id, filter))
    }

    /// Whether it gets messages.
    async fn enabled(&self) -> bool {
        self.0.is_enabled()
    }

    /// Why it gets nothing. Null while it is enabled.
    async fn disabled_because(&self) -> Option<WebhookEndpointDisabledReason> {
        self.0.disabled.map(|(_, because)| because.into())
    }

    /// Since when it gets nothing. Null while it is enabled.
    async fn disabled_at(&self) -> Option<Timestamp> {
        self.0.disabled.map(|(at, _)| at)
    }

    /// Since when every attempt failed. Null when the last one succeeded. After five days it is disabled.
    async fn failing_since(&self) -> Option<Timestamp> {
        self.0.failing_since
    }

    /// Until when messages are also signed with the secret before the last rotation. Null when only one signs.
    async fn previous_secret_until(&self, ctx: &Context<'_>) -> Result<Option<Timestamp>, ApiError> {
        let now = scope(ctx)?.now();
        Ok(self.0.previous_secret_until.filter(|until| now < *until))
    }

    /// Messages to it, newest first. They are kept for 30 days.
    async fn messages(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The account that the messages are about, for an endpoint of the platform. When left out: its tests."
        )]
        account_id: Option<Id<AccountId>>,
        #[graphql(desc = "Which messages; all when left out.")] filter: Option<WebhookMessageFilter>,
        #[graphql(desc = "How many to return, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Only older items after this cursor.")] after: Option<String>,
    ) -> Nullable<WebhookMessageConnection> {
        visible(async {
            messages(scope(ctx)?, &self.0, account_id, filter, (first, after))
                .await
                .map(Some)
        })
        .await
    }

    /// The actor who created it.
    async fn created_by(&self) -> Actor {
        Actor::new(self.0.account_id, self.0.created_by)
    }

    /// When it was created.
    async fn created_at(&self) -> Timestamp {
        self.0.created_at
    }

    /// When it was deleted. Null while it exists.
    async fn deleted_at(&self) -> Option<Timestamp> {
        self.0.removed_at
    }

    /// Increases with every change; for expectedVersion.
    async fn version(&self) -> i32 {
        self.0.version
    }
}

#[derive(Default)]
pub(crate) struct EndpointQuery;

#[Object]
impl EndpointQuery {
    /// Webhook endpoints of the platform, which get the events of all accounts, in the order of their creation: at most 20.
    /// [auth: platform key with `MANAGE_ACCOUNTS`]
    async fn webhook_endpoints(&self, ctx: &Context<'_>) -> Nullable<Vec<WebhookEndpoint>> {
        nullable(async {
            let scope = scope(ctx)?;
            let endpoints = &scope.services.webhook_endpoints;
            let endpoints = endpoints.list(scope.actor(), AccountId::PLATFORM).await?;
            Ok(Some(endpoints.into_iter().map(WebhookEndpoint::new).collect()))
        })
        .await
    }
}
