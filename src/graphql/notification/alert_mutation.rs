//! Mutations of alerts and deliveries.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};

use super::alert::{Alert, unread_count};
use super::delivery::Delivery;
use super::inbox_item::{InboxItem, Seen, seen_by_viewer};
use super::member_for;
use super::settings::NotificationChannel;
use crate::domain::member::require_own_or_settings;
use crate::domain::notification::{InboxMark, Marked, model};
use crate::graphql::context::{Scope, parse_id, scope};
use crate::graphql::errors::{ApiError, Nullable, nullable};
use crate::graphql::loaders::must_exist;
use crate::graphql::member::Member;
use crate::graphql::payload::Outcome;
use crate::graphql::refusals::{Failure, UserError};
use crate::primitives::ids::{AccountId, AlertId, DeliveryId, IdKind, MemberId};

/// The recipient and the channel of a test.
#[derive(InputObject, Debug)]
pub(crate) struct SendTestNotificationInput {
    /// The recipient; the viewer when left out.
    member_id: MaybeUndefined<ID>,
    /// The channel.
    channel: NotificationChannel,
}

/// A delivery to send again.
#[derive(InputObject, Debug)]
pub(crate) struct ResendDeliveryInput {
    /// The delivery.
    delivery_id: ID,
}

/// Alerts to mark as read. Either alertIds, or upTo.
#[derive(InputObject, Debug)]
pub(crate) struct MarkAlertsReadInput {
    /// The account; the member's when left out.
    account_id: Option<ID>,
    /// The member of the inbox; the viewer when left out.
    member_id: MaybeUndefined<ID>,
    /// These alerts, at most 100.
    alert_ids: Option<Vec<ID>>,
    /// Everything up to and including this alert.
    up_to: Option<ID>,
    /// True marks the alerts as read, false as not read.
    #[graphql(default_with = "Some(true)")]
    read: Option<bool>,
}

/// Alerts to archive. Either alertIds, or upTo.
#[derive(InputObject, Debug)]
pub(crate) struct ArchiveAlertsInput {
    /// The account; the member's when left out.
    account_id: Option<ID>,
    /// The member of the inbox; the viewer when left out.
    member_id: MaybeUndefined<ID>,
    /// These alerts, at most 100.
    alert_ids: Option<Vec<ID>>,
    /// Everything up to and including this alert.
    up_to: Option<ID>,
    /// True archives the alerts, false moves them back into the inbox.
    #[graphql(default_with = "Some(true)")]
    archived: Option<bool>,
}

/// The result of sendTestNotification.
pub(crate) struct SendTestNotificationPayload(Outcome<(MemberId, model::Alert)>);

/// The result of sendTestNotification.
#[allow(clippy::unused_async, reason = "the library's resolvers are asynchronous")]
#[Object]
impl SendTestNotificationPayload {
    /// The alert; its deliveries show the progress. Null when refused.
    async fn alert(&self) -> Option<Alert> {
        let (_, alert) = self.0.done.as_ref()?;
        Some(Alert::new(model::InboxItem::of_nobody(alert.clone())))
    }

    /// Why nothing was sent. Empty on success.
    pub(crate) async fn user_errors(&self) -> Vec<UserError> {
        self.0.errors.clone()
    }
}

/// The result of resendDelivery.
pub(crate) struct ResendDeliveryPayload(Outcome<model::Delivery>);

/// The result of resendDelivery.
#[allow(clippy::unused_async, reason = "the library's resolvers are asynchronous")]
#[Object]
impl ResendDeliveryPayload {
    /// The delivery, which is queued again. Null when refused.
    async fn delivery(&self) -> Option<Delivery> {
        self.0.done.clone().map(Delivery::new)
    }

    /// Why nothing is sent. Empty on success.
    pub(crate) async fn user_errors(&self) -> Vec<UserError> {
        self.0.errors.clone()
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

macro_rules! inbox_payload {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub(crate) struct $name(Outcome<Inbox>);

        $(#[$doc])*
        #[allow(clippy::unused_async, reason = "the library's resolvers are asynchronous")]
        #[Object]
        impl $name {
            /// The current alerts that were named by id. Null with upTo, and when refused.
            async fn alerts(&self, ctx: &Context<'_>) -> Nullable<Vec<Alert>> {
                nullable(async {
                    let seen = self.0.done.as_ref().map(|inbox| inbox.named(ctx));
                    let Some(seen) = seen else { return Ok(None) };
                    Ok(seen.await?.map(|seen| seen.into_iter().map(|seen| seen.alert).collect()))
                })
                .await
            }

            /// The current items of the inbox for the alerts that were named by id. Null with upTo, and when refused.
            async fn items(&self, ctx: &Context<'_>) -> Nullable<Vec<InboxItem>> {
                nullable(async {
                    let seen = self.0.done.as_ref().map(|inbox| inbox.named(ctx));
                    let Some(seen) = seen else { return Ok(None) };
                    Ok(seen.await?.map(|seen| seen.into_iter().filter_map(|seen| seen.item).collect()))
                })
                .await
            }

            /// Number of alerts in the inbox that are now neither read nor archived. Null when refused.
            async fn unread_count(&self, ctx: &Context<'_>) -> Nullable<i32> {
                nullable(async {
                    let Some(inbox) = &self.0.done else {
                        return Ok(None);
                    };
                    unread_count(scope(ctx)?, inbox.account_id, Some(inbox.member_id)).await.map(Some)
                })
                .await
            }

            /// The member whose inbox it is. Null when refused.
            async fn member(&self, ctx: &Context<'_>) -> Nullable<Member> {
                nullable(async {
                    let Some(inbox) = &self.0.done else {
                        return Ok(None);
                    };
                    let member = scope(ctx)?.loaders.member(inbox.account_id, inbox.member_id).await?;
                    must_exist(member, "member").map(|member| Some(Member::new(member)))
                })
                .await
            }

            /// Why nothing was changed. Empty on success.
            pub(crate) async fn user_errors(&self) -> Vec<UserError> {
                self.0.errors.clone()
            }
        }
    };
}

inbox_payload! {
    /// The result of markAlertsRead.
    MarkAlertsReadPayload
}
inbox_payload! {
    /// The result of archiveAlerts.
    ArchiveAlertsPayload
}

async fn send_test(scope: &Scope, input: SendTestNotificationInput) -> Result<(MemberId, model::Alert), Failure> {
    let (account_id, member_id) = member_for(scope, &input.member_id)?;
    let alerts = &scope.services.alerts;
    let alert = alerts
        .send_test(scope.actor(), account_id, member_id, input.channel.into())
        .await?;
    Ok((member_id, alert))
}

async fn resend(scope: &Scope, input: ResendDeliveryInput) -> Result<model::Delivery, Failure> {
    let field = ("deliveryId", "delivery");
    let (account_id, uuid) = scope.account_of(None, &input.delivery_id, IdKind::Delivery, field)?;
    let deliveries = &scope.services.deliveries;
    Ok(deliveries
        .resend(scope.actor(), account_id, DeliveryId::from_uuid(uuid))
        .await?)
}

/// The alerts and the inbox that an input selects.
struct Meant {
    account_id: Option<ID>,
    member_id: MaybeUndefined<ID>,
    alert_ids: Option<Vec<ID>>,
    up_to: Option<ID>,
}

async fn mark(scope: &Scope, meant: Meant, mark: InboxMark) -> Result<Inbox, Failure> {
    let (account_id, member_id) = member_for(scope, &meant.member_id)?;
    if meant.account_id.is_some() && scope.account_for(meant.account_id.as_ref())? != account_id {
        return Err(Failure::not_found("memberId", "member"));
    }
    require_own_or_settings(scope.actor(), account_id, member_id)?;
    let alert = |id: &ID, field: &str| {
        parse_id(id, IdKind::Alert)
            .filter(|id| id.account_id == account_id)
            .map(|id| AlertId::from_uuid(id.uuid))
            .ok_or_else(|| Failure::not_found(field, "alert"))
    };
    let (marked, alert_ids) = match (meant.alert_ids, meant.up_to) {
        (Some(ids), None) => {
            let numbered = ids.iter().enumerate();
            let ids = numbered.map(|(at, id)| alert(id, &format!("alertIds.{at}")));
            let ids: Vec<AlertId> = ids.collect::<Result<_, _>>()?;
            (Marked::These(ids.clone()), Some(ids))
        }
        (None, Some(id)) => (Marked::UpTo(alert(&id, "upTo")?), None),
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

/// Mutations of alerts and deliveries.
#[derive(Default)]
pub(crate) struct AlertMutation;

/// Mutations of alerts and deliveries.
#[Object]
impl AlertMutation {
    /// Sends an alert of kind TEST by the same path as all alerts, independent of the preferences. By e-mail at most once a
    /// minute. [auth: OWN, or `MANAGE_SETTINGS`; for an owner only owners and the platform]
    async fn send_test_notification(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The member, and the channel.")] input: SendTestNotificationInput,
    ) -> Nullable<SendTestNotificationPayload> {
        nullable(async {
            let outcome = Outcome::settle(send_test(scope(ctx)?, input).await)?;
            Ok(Some(SendTestNotificationPayload(outcome)))
        })
        .await
    }

    /// Sends a mail again that was sent, given up, bounced or held back.
    /// [auth: OWN, or `MANAGE_SETTINGS`; for an owner only owners and the platform]
    async fn resend_delivery(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The delivery to send again.")] input: ResendDeliveryInput,
    ) -> Nullable<ResendDeliveryPayload> {
        nullable(async {
            let outcome = Outcome::settle(resend(scope(ctx)?, input).await)?;
            Ok(Some(ResendDeliveryPayload(outcome)))
        })
        .await
    }

    /// Marks alerts of an inbox as read, or as not read.
    /// [auth: OWN, or `MANAGE_SETTINGS`; for an owner only owners and the platform]
    async fn mark_alerts_read(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The alerts.")] input: MarkAlertsReadInput,
    ) -> Nullable<MarkAlertsReadPayload> {
        nullable(async {
            let meant = Meant {
                account_id: input.account_id,
                member_id: input.member_id,
                alert_ids: input.alert_ids,
                up_to: input.up_to,
            };
            let read = InboxMark::Read(input.read.unwrap_or(true));
            let outcome = Outcome::settle(mark(scope(ctx)?, meant, read).await)?;
            Ok(Some(MarkAlertsReadPayload(outcome)))
        })
        .await
    }

    /// Archives alerts of an inbox, or moves them back. [auth: OWN, or `MANAGE_SETTINGS`; for an owner only owners and the platform]
    async fn archive_alerts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The alerts.")] input: ArchiveAlertsInput,
    ) -> Nullable<ArchiveAlertsPayload> {
        nullable(async {
            let meant = Meant {
                account_id: input.account_id,
                member_id: input.member_id,
                alert_ids: input.alert_ids,
                up_to: input.up_to,
            };
            let archived = InboxMark::Archived(input.archived.unwrap_or(true));
            let outcome = Outcome::settle(mark(scope(ctx)?, meant, archived).await)?;
            Ok(Some(ArchiveAlertsPayload(outcome)))
        })
        .await
    }
}
