//! What needs a person: charges whose outcome cannot be found out, webhooks that were given up, and refunds that failed.
//!
//! The lists cover all accounts, for operators with a platform key. The counts of the same rows are in `backlog`.

use crate::domain::fault::{QueryError, Refused, UseCaseError};
use crate::primitives::actor::{Actor, Permission};
use crate::primitives::clock::{DAY, Timestamp};
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, TopUpId};
use crate::primitives::money::Money;
use crate::primitives::page::{Page, PageRequest};
use crate::primitives::record::FromRow;

use super::webhooks::{StoredWebhook, WebhookStatus, Webhooks};
use super::{TopUpPosition, TopUps, store};

/// How long a failed refund is listed and counted, in milliseconds.
pub(in crate::domain) const FAILED_REFUNDS_FOR: i64 = 30 * DAY;

/// The position of a webhook in a list: when it was received, and its id.
pub type WebhookPosition = (Timestamp, String);

/// A top-up in progress whose outcome cannot be found out automatically.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsettledTopUp {
    /// The account that buys.
    pub account_id: AccountId,
    /// The top-up.
    pub top_up_id: TopUpId,
    /// Since when it is unknown whether the card was charged.
    pub unknown_since: Timestamp,
}

/// A refund whose money did not reach the card.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct FailedRefund {
    /// The account of the top-up.
    pub account_id: AccountId,
    /// The top-up whose money was to be refunded.
    pub top_up_id: TopUpId,
    /// When the refund was requested; if the money came back, when that was noticed.
    pub at: Timestamp,
    /// The credits of the refund. `None` if the money came back.
    pub credits: Option<Credits>,
    /// The money.
    #[record(flatten)]
    pub amount: Money,
    /// The reason of the refund. `None` if the money came back.
    pub reason: Option<String>,
}

/// Why a webhook is not processed again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RetryWebhookRefusal {
    /// The gateway in use has sent no webhook with this id.
    #[error("this webhook does not exist")]
    NotFound,
}

impl TopUps {
    /// Returns a page of the top-ups that an operator must settle by hand, the oldest attempt first. Forward only.
    pub async fn unsettled(
        &self,
        actor: &Actor,
        request: &PageRequest<TopUpPosition>,
    ) -> Result<Page<UnsettledTopUp, TopUpPosition>, QueryError> {
        actor.require_platform(Permission::ReadCreditLog)?;
        let rows = store::unsettled(&self.context.database, request.after, u64::from(request.limit) + 1).await?;
        Ok(Page::from_scan(rows, request))
    }

    /// Returns a page of the refunds of the last 30 days that failed or whose money came back, the latest first. A top-up with a later
    /// refund that did not fail is left out. Forward only.
    pub async fn failed_refunds(
        &self,
        actor: &Actor,
        request: &PageRequest<TopUpPosition>,
    ) -> Result<Page<FailedRefund, TopUpPosition>, QueryError> {
        actor.require_platform(Permission::ReadCreditLog)?;
        let since = self.context.clock.now().plus_millis(-FAILED_REFUNDS_FOR);
        let limit = u64::from(request.limit) + 1;
        let rows = store::failed_refunds(&self.context.database, since, request.after, limit).await?;
        Ok(Page::from_scan(rows, request))
    }
}

impl Webhooks {
    /// Returns a page of the webhooks that were given up, the one that was received first comes first. Forward only.
    pub async fn parked(
        &self,
        actor: &Actor,
        request: &PageRequest<WebhookPosition>,
    ) -> Result<Page<StoredWebhook, WebhookPosition>, QueryError> {
        actor.require_platform(Permission::ReadCreditLog)?;
        let (database, gateway) = (&self.context.database, self.context.gateway.name());
        let limit = u64::from(request.limit) + 1;
        let webhooks = store::parked_webhooks(database, gateway, request.after.as_ref(), limit).await?;
        let position = |webhook: &StoredWebhook| (webhook.received_at, webhook.event_id.clone());
        let rows = webhooks.into_iter().map(|webhook| (position(&webhook), webhook));
        Ok(Page::from_scan(rows.collect(), request))
    }

    /// Schedules a webhook again that was given up. A webhook that was not, or that was scheduled before, is left as it is.
    pub async fn retry(
        &self,
        actor: &Actor,
        event_id: &str,
    ) -> Result<StoredWebhook, UseCaseError<RetryWebhookRefusal>> {
        actor.require_platform(Permission::ManageCredits)?;
        let (database, gateway) = (&self.context.database, self.context.gateway.name());
        let found = store::find_webhook(database.read(), gateway, event_id).await?;
        let webhook = found.ok_or(Refused(RetryWebhookRefusal::NotFound))?;
        if webhook.status != WebhookStatus::Parked {
            return Ok(webhook);
        }
        let scheduled = webhook.scheduled_again(self.context.clock.now());
        self.save(scheduled.clone()).await?;
        tracing::info!(event = event_id, by = ?actor.cause(None), "a webhook that was given up is processed again");
        Ok(scheduled)
    }
}
