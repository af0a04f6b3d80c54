//! What operators see and do about payments that need a person.

use async_graphql::{ComplexObject, Context, Enum, InputObject, Object, SimpleObject};

use super::payload::SettleTopUpPayload;
use super::{Money, TopUp};
use crate::domain::top_up::{self, RetryWebhookRefusal, StoredWebhook, WebhookPosition};
use crate::graphql::by_id::existing;
use crate::graphql::connection::{PageArguments, Position, connection};
use crate::graphql::context::{Scope, scope};
use crate::graphql::errors::{ApiError, Nullable, nullable};
use crate::graphql::id::Id;
use crate::graphql::payload::{mutations, payload};
use crate::graphql::refusals::Failure;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::cursor::CursorScope;
use crate::primitives::ids::{AccountId, TopUpId};

/// A top-up in progress whose outcome cannot be found out automatically. Look it up at the payment gateway, then send `settleTopUp`.
#[derive(SimpleObject, Clone, Debug)]
#[graphql(complex)]
pub(crate) struct UnsettledTopUp {
    #[graphql(skip)]
    id: (AccountId, TopUpId),
    /// Since when it is unknown whether the card was charged.
    unknown_since: Timestamp,
}

#[ComplexObject]
impl UnsettledTopUp {
    /// The top-up.
    async fn top_up(&self, ctx: &Context<'_>) -> Result<TopUp, ApiError> {
        let (account_id, id) = self.id;
        existing(ctx, account_id, id).await
    }
}

/// A refund whose money did not reach the card.
#[derive(SimpleObject, Clone, Debug)]
#[graphql(complex)]
pub(crate) struct FailedRefund {
    #[graphql(skip)]
    id: (AccountId, TopUpId),
    /// When the refund was requested; if the money came back, when that was noticed.
    at: Timestamp,
    /// Whether the gateway had accepted the refund, and the bank then returned the money.
    came_back: bool,
    /// The credits of the refund: they are available again. Null if the money came back.
    credits: Option<Credits>,
    /// The money that did not reach the card.
    amount: Money,
    /// The reason of the refund. Null if the money came back.
    reason: Option<String>,
}

#[ComplexObject]
impl FailedRefund {
    /// The top-up whose money was to be refunded.
    async fn top_up(&self, ctx: &Context<'_>) -> Result<TopUp, ApiError> {
        let (account_id, id) = self.id;
        existing(ctx, account_id, id).await
    }
}

impl From<top_up::UnsettledTopUp> for UnsettledTopUp {
    fn from(unsettled: top_up::UnsettledTopUp) -> Self {
        Self {
            id: (unsettled.account_id, unsettled.top_up_id),
            unknown_since: unsettled.unknown_since,
        }
    }
}

impl From<top_up::FailedRefund> for FailedRefund {
    fn from(failed: top_up::FailedRefund) -> Self {
        Self {
            id: (failed.account_id, failed.top_up_id),
            at: failed.at,
            came_back: failed.credits.is_none(),
            credits: failed.credits,
            amount: failed.amount.into(),
            reason: failed.reason,
        }
    }
}

/// The status of a webhook.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "top_up::WebhookStatus")]
pub(crate) enum WebhookStatus {
    /// A worker will process it, or try again.
    Pending,
    /// It was processed.
    Applied,
    /// It was given up after ten tries, until an operator retries it.
    Parked,
}

/// A webhook of the payment gateway.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct Webhook {
    /// The gateway's id of the event.
    event_id: String,
    /// The gateway's type of the event.
    kind: String,
    /// The gateway's id of the object that it is about.
    object_id: Option<String>,
    /// The current status.
    status: WebhookStatus,
    /// Why the last try failed, in English. Null before the first try and after a success.
    reason: Option<String>,
    /// The number of tries since it was received or retried.
    tries: i32,
    /// When it was received.
    received_at: Timestamp,
}

impl From<StoredWebhook> for Webhook {
    fn from(webhook: StoredWebhook) -> Self {
        Self {
            event_id: webhook.event_id,
            kind: webhook.kind,
            object_id: webhook.object_id,
            status: webhook.status.into(),
            reason: webhook.last_error,
            tries: webhook.tries,
            received_at: webhook.received_at,
        }
    }
}

impl Position for WebhookPosition {
    fn to_bytes(&self) -> Vec<u8> {
        [self.0.millis().to_be_bytes().as_slice(), self.1.as_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (millis, id) = bytes.split_at_checked(8)?;
        let millis = i64::from_be_bytes(millis.try_into().ok()?);
        Some((Timestamp::from_millis(millis), String::from_utf8(id.to_vec()).ok()?))
    }
}

connection! {
    /// A page of top-ups that need a person.
    UnsettledTopUpConnection, UnsettledTopUpEdge of UnsettledTopUp
}
connection! {
    /// A page of failed refunds.
    FailedRefundConnection, FailedRefundEdge of FailedRefund
}
connection! {
    /// A page of webhooks.
    WebhookConnection, WebhookEdge of Webhook
}

#[derive(Default)]
pub(crate) struct OperatorQuery;

#[Object]
impl OperatorQuery {
    /// Top-ups of all accounts that an operator must settle by hand, the oldest first. [auth: platform key with `READ_CREDIT_LOG`]
    async fn unsettled_top_ups(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many to return, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
    ) -> Nullable<UnsettledTopUpConnection> {
        nullable(async {
            let scope = scope(ctx)?;
            let list = CursorScope::of(&["unsettled_top_ups"]);
            let request = PageArguments::forward(first, after).request(list)?;
            let page = scope.services.top_ups.unsettled(scope.actor(), &request).await?;
            Ok(Some(UnsettledTopUpConnection::new(request.relay(page.map(Into::into)))))
        })
        .await
    }

    /// Refunds of all accounts in the last 30 days that the gateway refused, or whose money the bank returned; the latest first. A top-up
    /// with a later refund that did not fail is left out. [auth: platform key with `READ_CREDIT_LOG`]
    async fn failed_refunds(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many to return, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
    ) -> Nullable<FailedRefundConnection> {
        nullable(async {
            let scope = scope(ctx)?;
            let list = CursorScope::of(&["failed_refunds"]);
            let request = PageArguments::forward(first, after).request(list)?;
            let page = scope.services.top_ups.failed_refunds(scope.actor(), &request).await?;
            Ok(Some(FailedRefundConnection::new(request.relay(page.map(Into::into)))))
        })
        .await
    }

    /// Webhooks of the payment gateway that were given up after ten tries, the one that was received first comes first.
    /// [auth: platform key with `READ_CREDIT_LOG`]
    async fn parked_webhooks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many to return, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
    ) -> Nullable<WebhookConnection> {
        nullable(async {
            let scope = scope(ctx)?;
            let list = CursorScope::of(&["parked_webhooks"]);
            let request = PageArguments::forward(first, after).request(list)?;
            let page = scope.services.webhooks.parked(scope.actor(), &request).await?;
            Ok(Some(WebhookConnection::new(request.relay(page.map(Into::into)))))
        })
        .await
    }
}

/// The outcome of a top-up, as an operator has found it at the payment gateway.
#[derive(InputObject, Debug)]
pub(crate) struct SettleTopUpInput {
    /// The top-up to settle.
    top_up_id: Id<TopUpId>,
    /// Whether the card was charged: then the top-up is credited, otherwise it fails.
    is_charged: bool,
    /// How you know, up to 500 characters. The server's log has it, with the caller.
    reason: String,
}

/// A webhook to process again.
#[derive(InputObject, Debug)]
pub(crate) struct RetryWebhookInput {
    /// The gateway's id of the event.
    event_id: String,
}

payload! {
    /// The result of retryWebhook.
    RetryWebhookPayload
    from StoredWebhook => {
        /// The webhook in its current state. Null when refused.
        async fn webhook(&self) -> Option<Webhook> {
            self.0.done.clone().map(Into::into)
        }
    }
}

async fn retry(scope: &Scope, input: RetryWebhookInput) -> Result<StoredWebhook, Failure> {
    Ok(scope.services.webhooks.retry(scope.actor(), &input.event_id).await?)
}

async fn settle(scope: &Scope, input: SettleTopUpInput) -> Result<top_up::ChangedTopUp, Failure> {
    let (account_id, top_up_id) = scope.object(input.top_up_id)?;
    let settled = (top_up_id, input.is_charged);
    let reconciler = &scope.services.reconciler;
    let settled = reconciler.settle_by_hand(scope.actor(), account_id, settled, input.reason);
    Ok(settled.await?)
}

impl From<RetryWebhookRefusal> for Failure {
    fn from(error: RetryWebhookRefusal) -> Self {
        match error {
            RetryWebhookRefusal::NotFound => Self::not_found("eventId", "webhook"),
        }
    }
}

mutations! {
    OperatorMutation {
        /// Ends a top-up whose outcome cannot be found out automatically, with the outcome that you have found at the payment gateway. If the
        /// gateway reports later that the card was charged after all, the top-up is credited, once. [auth: `MANAGE_CREDITS`]
        settle_top_up(SettleTopUpInput: "The top-up, its outcome, and how you know it.") -> SettleTopUpPayload = settle;

        /// Processes a webhook again that was given up. A webhook that was not given up is left as it is.
        /// [auth: platform key with `MANAGE_CREDITS`]
        retry_webhook(RetryWebhookInput: "The webhook.") -> RetryWebhookPayload = retry;
    }
}
