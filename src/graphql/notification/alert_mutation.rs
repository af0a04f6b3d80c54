//! Mutations of alerts and deliveries.

use async_graphql::{Context, InputObject, MaybeUndefined};

use super::alert::{Alert, unread_count};
use super::delivery::Delivery;
use super::inbox_item::{InboxItem, Seen, seen_by_viewer};
use super::member_for;
use super::settings::NotificationChannel;
use crate::domain::member::require_own_or_settings;
use crate::domain::notification::{InboxMark, Marked, model};
use crate::graphql::by_id::existing;
use crate::graphql::context::{Scope, scope};
use crate::graphql::errors::{ApiError, Nullable, nullable};
use crate::graphql::id::Id;
use crate::graphql::member::Member;
use crate::graphql::payload::{mutations, payload};
use crate::graphql::refusals::Failure;
use crate::primitives::ids::{AccountId, AlertId, DeliveryId, MemberId};

/// The recipient and the channel of a test.
#[derive(InputObject, Debug)]
pub(crate) struct SendTestNotificationInput {
    /// The recipient; the viewer when left out.
    member_id: MaybeUndefined<Id<MemberId>>,
    /// The channel.
    channel: NotificationChannel,
}

/// A delivery to send again.
#[derive(InputObject, Debug)]
pub(crate) struct ResendDeliveryInput {
    /// The delivery.
    delivery_id: Id<DeliveryId>,
}

/// The alerts and the inbox that an input selects.
#[derive(InputObject, Debug)]
struct AlertSelection {
    /// The account; the member's when left out.
    account_id: Option<Id<AccountId>>,
    /// The member of the inbox; the viewer when left out.
    member_id: MaybeUndefined<Id<MemberId>>,
    /// These alerts, at most 100.
    alert_ids: Option<Vec<Id<AlertId>>>,
    /// Everything up to and including this alert.
    up_to: Option<Id<AlertId>>,
}

/// Alerts to mark as read. Either alertIds, or upTo.
#[derive(InputObject, Debug)]
pub(crate) struct MarkAlertsReadInput {
    #[graphql(flatten)]
    selection: AlertSelection,
    /// True marks the alerts as read, false as not read.
    #[graphql(default_with = "Some(true)")]
    read: Option<bool>,
}

/// Alerts to archive. Either alertIds, or upTo.
#[derive(InputObject, Debug)]
pub(crate) struct ArchiveAlertsInput {
    #[graphql(flatten)]
    selection: AlertSelection,
    /// True archives the alerts, false moves them back into the inbox.
    #[graphql(default_with = "Some(true)")]
    archived: Option<bool>,
}

payload! {
    /// The result of sendTestNotification.
    SendTestNotificationPayload
    from model::Alert, "Why nothing was sent. Empty on success." => {
        /// The alert; its deliveries show the progress. Null when refused.
        async fn alert(&self) -> Option<Alert> {
            let alert = self.0.done.clone()?;
            Some(Alert::new(model::InboxItem::outside_inbox(alert)))
        }
    }
}

payload! {
    /// The result of resendDelivery.
    ResendDeliveryPayload
    from model::Delivery, "Why nothing is sent. Empty on success." => {
        /// The delivery, which is queued again. Null when refused.
        async fn delivery(&self) -> Option<Delivery> {
            self.0.done.clone().map(Delivery::new)
        }
    }
}

/// The inbox whose alerts were marked, and the alerts that were named.
#[derive(Clone, Debug)]
struct Inbox {
    account_id: AccountId,
    member_id: MemberId,
    alert_ids: Option<Vec<AlertId>>,
}

impl Inbox {
    /// The alerts that were named by id; `None` where they were not.
    async fn named(&self, ctx: &Context<'_>) -> Result<Option<Vec<Seen>>, ApiError> {
        let Some(ids) = &self.alert_ids else {
            return Ok(None);
        };
        let scope = scope(ctx)?;
        let alerts = &scope.services.alerts;
        let found = alerts.by_ids(scope.actor(), self.account_id, Some(self.member_id), ids);
        let mut found = found.await?;
        let items = ids.iter().filter_map(|id| found.remove(id)).collect();
        seen_by_viewer(scope, self.account_id, items).await.map(Some)
    }
}

payload! {
    /// The result of markAlertsRead.
    MarkAlertsReadPayload,
    /// The result of archiveAlerts.
    ArchiveAlertsPayload
    from Inbox => {
        /// The current alerts that were named by id. Null with upTo, and when refused.
        async fn alerts(&self, ctx: &Context<'_>) -> Nullable<Vec<Alert>> {
            let seen = self.0.done.as_ref()?.named(ctx).await;
            Some(seen.transpose()?.map(|seen| seen.into_iter().map(|seen| seen.alert).collect()))
        }

        /// The current items of the inbox for the alerts that were named by id. Null with upTo, and when refused.
        async fn items(&self, ctx: &Context<'_>) -> Nullable<Vec<InboxItem>> {
            let seen = self.0.done.as_ref()?.named(ctx).await;
            Some(seen.transpose()?.map(|seen| seen.into_iter().filter_map(|seen| seen.item).collect()))
        }

        /// Number of alerts in the inbox that are now neither read nor archived. Null when refused.
        async fn unread_count(&self, ctx: &Context<'_>) -> Nullable<i32> {
            let inbox = self.0.done.as_ref()?;
            nullable(async { unread_count(scope(ctx)?, inbox.account_id, Some(inbox.member_id)).await.map(Some) }).await
        }

        /// The member whose inbox it is. Null when refused.
        async fn member(&self, ctx: &Context<'_>) -> Nullable<Member> {
            let inbox = self.0.done.as_ref()?;
            Some(existing(ctx, inbox.account_id, inbox.member_id).await)
        }
    }
}

async fn send_test(scope: &Scope, input: SendTestNotificationInput) -> Result<model::Alert, Failure> {
    let (account_id, member_id) = member_for(scope, input.member_id)?;
    let alerts = &scope.services.alerts;
    Ok(alerts
        .send_test(scope.actor(), account_id, member_id, input.channel.into())
        .await?)
}

async fn resend(scope: &Scope, input: ResendDeliveryInput) -> Result<model::Delivery, Failure> {
    let (account_id, delivery_id) = scope.object(input.delivery_id)?;
    let deliveries = &scope.services.deliveries;
    Ok(deliveries.resend(scope.actor(), account_id, delivery_id).await?)
}

async fn mark_read(scope: &Scope, input: MarkAlertsReadInput) -> Result<Inbox, Failure> {
    let read = InboxMark::Read(input.read.unwrap_or(true));
    mark(scope, input.selection, read).await
}

async fn archive(scope: &Scope, input: ArchiveAlertsInput) -> Result<Inbox, Failure> {
    let archived = InboxMark::Archived(input.archived.unwrap_or(true));
    mark(scope, input.selection, archived).await
}

async fn mark(scope: &Scope, selection: AlertSelection, mark: InboxMark) -> Result<Inbox, Failure> {
    let (account_id, member_id) = member_for(scope, selection.member_id)?;
    if selection.account_id.is_some() && scope.account_for(selection.account_id)? != account_id {
        return Err(Failure::not_found("memberId", "member"));
    }
    require_own_or_settings(scope.actor(), account_id, member_id)?;
    let (marked, alert_ids) = match (selection.alert_ids, selection.up_to) {
        (Some(ids), None) => {
            let numbered = ids.iter().enumerate();
            let ids = numbered.map(|(at, id)| id.in_field(&format!("alertIds.{at}"), account_id));
            let ids: Vec<AlertId> = ids.collect::<Result<_, _>>()?;
            (Marked::These(ids.clone()), Some(ids))
        }
        (None, Some(id)) => (Marked::UpTo(id.in_field("upTo", account_id)?), None),
        (Some(_), Some(_)) | (None, None) => return Err(Failure::invalid("alertIds", "give either alertIds or upTo")),
    };
    let alerts = &scope.services.alerts;
    alerts.mark(scope.actor(), account_id, member_id, marked, mark).await?;
    Ok(Inbox {
        account_id,
        member_id,
        alert_ids,
    })
}

mutations! {
    /// Mutations of alerts and deliveries.
    AlertMutation {
        /// Sends an alert of kind TEST by the same path as all alerts, independent of the preferences. By e-mail at most once a
        /// minute. [auth: OWN, or `MANAGE_SETTINGS`; for an owner only owners and the platform]
        send_test_notification(SendTestNotificationInput: "The member, and the channel.")
            -> SendTestNotificationPayload = send_test;

        /// Sends a mail again that was sent, given up, bounced or held back.
        /// [auth: OWN, or `MANAGE_SETTINGS`; for an owner only owners and the platform]
        resend_delivery(ResendDeliveryInput: "The delivery to send again.") -> ResendDeliveryPayload = resend;

        /// Marks alerts of an inbox as read, or as not read.
        /// [auth: OWN, or `MANAGE_SETTINGS`; for an owner only owners and the platform]
        mark_alerts_read(MarkAlertsReadInput: "The alerts.") -> MarkAlertsReadPayload = mark_read;

        /// Archives alerts of an inbox, or moves them back. [auth: OWN, or `MANAGE_SETTINGS`; for an owner only owners and the platform]
        archive_alerts(ArchiveAlertsInput: "The alerts.") -> ArchiveAlertsPayload = archive;
    }
}
