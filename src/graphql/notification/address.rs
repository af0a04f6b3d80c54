//! Notification addresses: addresses that get alerts and belong to no member.

use async_graphql::{Context, ID, Object};

use super::delivery::{DeliveryConnection, DeliveryFilter, deliveries};
use super::settings::AlertKind;
use crate::domain::notification::model::MailFailure;
use crate::domain::notification::{DeliveriesOf, model};
use crate::graphql::context::{public_id, scope};
use crate::graphql::errors::{Nullable, nullable, visible};
use crate::graphql::ledger::Actor;
use crate::graphql::member::ContactStatus;
use crate::graphql::scalars::TimeZone;
use crate::graphql::viewer::in_language;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;

/// An address that gets alerts by e-mail and belongs to no member.
#[derive(Clone, Debug)]
pub(crate) struct NotificationAddress(model::NotificationAddress);

impl NotificationAddress {
    pub(in crate::graphql) const fn new(address: model::NotificationAddress) -> Self {
        Self(address)
    }
}

/// An address that gets alerts by e-mail and belongs to no member, such as that of accounting. Its readers need not sign in. It gets
/// the chosen kinds once it is verified. Its readers can switch any of them off by a link in each mail.
#[Object]
impl NotificationAddress {
    /// Opaque id, for `node` and mutations.
    pub(in crate::graphql) async fn id(&self) -> ID {
        public_id(self.0.id.global(self.0.account_id))
    }

    /// The team's label for the address.
    async fn label(&self) -> &str {
        &self.0.label
    }

    /// The e-mail address. Null after it was removed.
    async fn email(&self) -> Option<&str> {
        self.0.contact.email.as_deref()
    }

    /// The status of the address. Mail goes to it only while it is VERIFIED.
    async fn email_status(&self) -> ContactStatus {
        self.0.contact.email_status.into()
    }

    /// The kinds of alerts that it gets.
    async fn alert_kinds(&self) -> Vec<AlertKind> {
        self.0.wishes.kinds.iter().map(|kind| (*kind).into()).collect()
    }

    /// `LOW_BALANCE` is sent when available falls to or below this. Null follows the account's auto top-up trigger.
    async fn low_balance_threshold(&self) -> Option<Credits> {
        self.0.wishes.low_balance_threshold
    }

    /// The language that messages are written in, e.g. en or de.
    async fn locale(&self) -> &str {
        &self.0.contact.locale
    }

    /// The time zone that messages are written in.
    async fn timezone(&self) -> TimeZone {
        TimeZone(self.0.contact.timezone)
    }

    /// The actor of the platform who vouched for the address. Null where its readers confirmed it, or it is not verified.
    async fn vouched_by(&self) -> Option<Actor> {
        let vouched = self.0.contact.vouched?;
        Some(Actor::new(self.0.account_id, vouched.by))
    }

    /// When the platform vouched for the address. Null where it did not.
    async fn vouched_at(&self) -> Option<Timestamp> {
        self.0.contact.vouched.map(|vouched| vouched.at)
    }

    /// Why mail bounces: human-readable, in the viewer's language. Null unless it bounces.
    #[graphql(directive = in_language::apply())]
    async fn bounce_message(&self, ctx: &Context<'_>) -> Nullable<String> {
        nullable(async {
            let Some(noted) = self.0.contact.bounce_message.as_deref() else {
                return Ok(None);
            };
            let words = MailFailure::of_contact(noted).in_words();
            scope(ctx)?.in_words(words).await.map(Some)
        })
        .await
    }

    /// Deliveries to it, also those that were not sent, newest first.
    async fn deliveries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which deliveries; all when left out.")] filter: Option<DeliveryFilter>,
        #[graphql(desc = "How many to return, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Only older items after this cursor.")] after: Option<String>,
    ) -> Nullable<DeliveryConnection> {
        visible(async {
            let of = DeliveriesOf::Recipient(self.0.id.into());
            let page = deliveries(scope(ctx)?, self.0.account_id, of, filter, (first, after)).await?;
            Ok(Some(page))
        })
        .await
    }

    /// The actor who added it.
    async fn created_by(&self) -> Actor {
        Actor::new(self.0.account_id, self.0.created_by)
    }

    /// When it was added.
    async fn created_at(&self) -> Timestamp {
        self.0.created_at
    }

    /// When it was removed. Null while it exists.
    async fn removed_at(&self) -> Option<Timestamp> {
        self.0.removed_at
    }

    /// Increases with every change; for expectedVersion.
    async fn version(&self) -> i32 {
        self.0.contact.version
    }
}
