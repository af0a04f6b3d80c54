//! Deliveries of alerts.

use async_graphql::{Context, Enum, ID, InputObject, Object};

use super::address::NotificationAddress;
use super::alert::Alert;
use super::settings::{AlertKind, NotificationChannel};
use crate::domain::fault::InvalidInput;
use crate::domain::filter::{AnyOf, key};
use crate::domain::notification::{self, DeliveriesOf, model};
use crate::graphql::by_id::existing;
use crate::graphql::connection::{PageArguments, connection};
use crate::graphql::context::{Scope, public_id, scope};
use crate::graphql::errors::{ApiError, Nullable, nullable};
use crate::graphql::ledger::{DateTimeRange, instants};
use crate::graphql::loaders::must_exist;
use crate::graphql::member::Member;
use crate::graphql::viewer::in_language;
use crate::primitives::clock::Timestamp;
use crate::primitives::cursor::CursorScope;
use crate::primitives::ids::{AccountId, RecipientId};

/// The status of a delivery.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::DeliveryStatus")]
pub(crate) enum DeliveryStatus {
    /// It waits for its scheduled time, or for another try: see nextAttemptAt.
    Queued,
    /// It is being sent.
    Sending,
    /// It was passed to the recipient's mail system, or is in the inbox.
    Sent,
    /// It was given up after a day of tries: see lastError.
    Failed,
    /// It bounced: see lastError.
    Bounced,
    /// It was not sent: see suppressedBecause.
    Suppressed,
}

/// Why an alert was not sent to a recipient by a channel.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::SuppressionReason")]
pub(crate) enum SuppressionReason {
    /// The recipient has switched it off: see notificationSettings, or the address' alertKinds.
    PreferenceOff,
    /// It waited for the end of the member's quiet hours, and its condition had ended by then. Older deliveries only: see ENDED.
    QuietHours,
    /// The condition had ended before it was sent.
    Ended,
    /// The member had left the team or had another role, or the address was removed, before it was sent.
    #[graphql(name = "NOT_A_RECIPIENT")]
    NotRecipient,
    /// Mail of this kind went to the recipient recently.
    Cooldown,
    /// Mail to the recipient bounces. Critical mail to members is tried anyway.
    ContactBouncing,
    /// There is no address: set one with updateContact.
    NoContact,
    /// The address is not verified. Critical mail to members is sent to it anyway. Verify it with sendContactVerification and
    /// verifyContact, or sendNotificationAddressVerification, or have the platform vouch for it.
    ContactUnverified,
    /// The limit of mail to unverified addresses of this account, or to this address, is reached. Verify the address.
    UnverifiedLimit,
}

/// Selects deliveries that meet every given condition.
#[derive(InputObject, Clone, Debug, Default)]
pub(crate) struct DeliveryFilter {
    /// Only deliveries in these statuses.
    statuses: Option<Vec<DeliveryStatus>>,
    /// Only deliveries by these channels.
    channels: Option<Vec<NotificationChannel>>,
    /// Only deliveries of these kinds of alerts.
    alert_kinds: Option<Vec<AlertKind>>,
    /// Only deliveries created in this range.
    created_at: Option<DateTimeRange>,
}

impl DeliveryFilter {
    fn into_domain(self) -> Result<notification::DeliveryFilter, InvalidInput> {
        Ok(notification::DeliveryFilter {
            statuses: AnyOf::new("filter.statuses", self.statuses)?,
            channels: AnyOf::new("filter.channels", self.channels)?,
            alert_kinds: AnyOf::new("filter.alertKinds", self.alert_kinds)?,
            created_at: instants("filter.createdAt", self.created_at)?,
        })
    }
}

/// One alert on its way to one recipient by one channel.
#[derive(Clone, Debug)]
pub(crate) struct Delivery(model::Delivery);

impl Delivery {
    pub(in crate::graphql) const fn new(delivery: model::Delivery) -> Self {
        Self(delivery)
    }
}

/// One alert on its way to one recipient by one channel.
#[allow(clippy::unused_async, reason = "the library's resolvers are asynchronous")]
#[Object]
impl Delivery {
    /// Opaque id, for `node` and resendDelivery.
    pub(in crate::graphql) async fn id(&self) -> ID {
        public_id(self.0.id.global(self.0.account_id))
    }

    /// The alert that it delivers.
    async fn alert(&self, ctx: &Context<'_>) -> Result<Alert, ApiError> {
        let alert = scope(ctx)?
            .loaders
            .delivered_alert(self.0.account_id, self.0.alert_id)
            .await?;
        must_exist(alert, "alert").map(Alert::new)
    }

    /// When it was created.
    async fn created_at(&self) -> Timestamp {
        self.0.created_at
    }

    /// The member who receives it. Null where a notification address does: see notificationAddress.
    async fn recipient(&self, ctx: &Context<'_>) -> Nullable<Member> {
        let member_id = self.0.recipient.member()?;
        Some(existing(ctx, self.0.account_id, member_id).await)
    }

    /// The notification address that receives it. Null where a member does: see recipient.
    async fn notification_address(&self, ctx: &Context<'_>) -> Nullable<NotificationAddress> {
        let RecipientId::Address(id) = self.0.recipient else {
            return None;
        };
        Some(existing(ctx, self.0.account_id, id).await)
    }

    /// The channel.
    async fn channel(&self) -> NotificationChannel {
        self.0.channel.into()
    }

    /// The current status.
    async fn status(&self) -> DeliveryStatus {
        self.0.status.into()
    }

    /// Why it was not sent. Null unless SUPPRESSED.
    async fn suppressed_because(&self) -> Option<SuppressionReason> {
        self.0.suppressed_because.map(Into::into)
    }

    /// The address that it was last sent to, masked: `a***@example.com`. Null in the app, and before the first try.
    async fn address(&self) -> Option<String> {
        self.0.address.as_deref().map(masked)
    }

    /// Number of tries.
    async fn attempts(&self) -> i32 {
        self.0.attempts
    }

    /// Why the last try failed: human-readable, in the viewer's language. The server's log has the error of the mail system.
    #[graphql(directive = in_language::apply())]
    async fn last_error(&self, ctx: &Context<'_>) -> Nullable<String> {
        nullable(async {
            let Some(failure) = self.0.last_error else {
                return Ok(None);
            };
            scope(ctx)?.in_words(failure.in_words()).await.map(Some)
        })
        .await
    }

    /// When it is tried next. Null unless it is on its way.
    async fn next_attempt_at(&self) -> Option<Timestamp> {
        self.0.next_attempt_at
    }

    /// When it was sent.
    async fn sent_at(&self) -> Option<Timestamp> {
        self.0.sent_at
    }
}

fn masked(address: &str) -> String {
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    format!("{}***@{domain}", local.chars().next().unwrap_or_default())
}

connection! {
    /// A page of deliveries, newest first.
    DeliveryConnection, DeliveryEdge of Delivery
}

/// Returns one page of the deliveries of an alert or to a recipient.
pub(in crate::graphql) async fn deliveries(
    scope: &Scope,
    account_id: AccountId,
    of: DeliveriesOf,
    filter: Option<DeliveryFilter>,
    (first, after): (Option<i32>, Option<String>),
) -> Result<DeliveryConnection, ApiError> {
    let filter = filter.unwrap_or_default().into_domain()?;
    let list = CursorScope::of(&[
        "deliveries",
        &account_id.number().to_string(),
        &key(&of)?,
        &key(&filter)?,
    ]);
    let request = PageArguments::forward(first, after).request(list)?;
    let deliveries = &scope.services.deliveries;
    let page = deliveries
        .page(scope.actor(), account_id, of, &filter, &request)
        .await?;
    Ok(DeliveryConnection::new(request.relay(page.map(Delivery::new))))
}
