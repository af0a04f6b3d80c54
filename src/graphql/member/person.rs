//! Members and their contacts.

use async_graphql::{Context, Enum, ID, Object};

use super::account::Account;
use crate::domain::member;
use crate::domain::notification::DeliveriesOf;
use crate::domain::notification::model::MailFailure;
use crate::graphql::by_id::existing;
use crate::graphql::connection::{PageArguments, connection};
use crate::graphql::context::{public_id, scope};
use crate::graphql::errors::{ApiError, Nullable, nullable, visible};
use crate::graphql::ledger::{Actor, CreditLogFilter, CreditTotals, UsageScope};
use crate::graphql::loaders::must_exist;
use crate::graphql::notification::{
    AlertConnection, AlertFilter, DeliveryConnection, DeliveryFilter, NotificationSettings, deliveries, inbox,
    unread_count,
};
use crate::graphql::scalars::TimeZone;
use crate::graphql::viewer::{in_language, of_viewer};
use crate::primitives::actor::{self, Permission};
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{GlobalId, IdKind};

/// A member's role in the team.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "actor::MemberRole")]
pub(crate) enum MemberRole {
    /// Has all permissions of admins, and can change other owners.
    Owner,
    /// Manages the team's credits.
    Admin,
    /// Uses credits, and sees their own use.
    Member,
}

/// Whether mail can be sent to an address.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "member::ContactStatus")]
pub(crate) enum ContactStatus {
    /// There is no address.
    None,
    /// The address is not verified.
    Unverified,
    /// The member has confirmed it with a code, or the platform vouches for it.
    Verified,
    /// Mail to it bounces.
    Bouncing,
}

#[derive(Clone, Debug)]
pub(crate) struct Member(member::Member);

impl Member {
    pub(in crate::graphql) fn new(member: member::Member) -> Self {
        Self(member)
    }
}

/// A member of a team. Fields that name a permission after `auth` are null, without an error, for viewers who do not have it.
#[Object]
impl Member {
    /// Opaque id, for `node`, filters and inputs.
    pub(in crate::graphql) async fn id(&self) -> ID {
        public_id(self.0.id.global(self.0.account_id))
    }

    /// The platform's own id.
    async fn external_id(&self) -> Option<&str> {
        self.0.external_id.as_deref()
    }

    /// Display name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Role in the team.
    async fn role(&self) -> MemberRole {
        self.0.role.into()
    }

    /// The contact of the member. [auth: OWN, or `MANAGE_SETTINGS`]
    #[graphql(directive = of_viewer::apply())]
    async fn contact(&self, ctx: &Context<'_>) -> Nullable<Contact> {
        visible(async {
            let scope = scope(ctx)?;
            member::require_own_or_settings(scope.actor(), self.0.account_id, self.0.id)?;
            let contact = scope.loaders.contact(self.0.account_id, self.0.id).await?;
            Ok(contact.map(Contact::new))
        })
        .await
    }

    /// Which alerts the member receives, and by which channel. [auth: OWN, or `MANAGE_SETTINGS`]
    #[graphql(directive = of_viewer::apply())]
    async fn notification_settings(&self, ctx: &Context<'_>) -> Nullable<NotificationSettings> {
        visible(async {
            let scope = scope(ctx)?;
            member::require_own_or_settings(scope.actor(), self.0.account_id, self.0.id)?;
            let settings = scope
                .loaders
                .notification_settings(self.0.account_id, self.0.id)
                .await?;
            Ok(settings.map(NotificationSettings::new))
        })
        .await
    }

    /// Sums over the entries of the member's use. [auth: OWN, or `READ_CREDIT_LOG`]
    #[graphql(directive = of_viewer::apply())]
    async fn usage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of their entries; all when left out.")] filter: Option<CreditLogFilter>,
    ) -> Nullable<CreditTotals> {
        visible(async {
            let scope = scope(ctx)?;
            if scope.actor().member_id() != Some(self.0.id) {
                scope.actor().require(self.0.account_id, Permission::ReadCreditLog)?;
            }
            let mut filter = filter.unwrap_or_default().for_account(self.0.account_id)?;
            filter.member_ids.restrict_to(self.0.id);
            let log = &scope.services.credit_log;
            let totals = log.totals(scope.actor(), self.0.account_id, &filter).await?;
            Ok(Some(CreditTotals {
                // For every caller: these are one member's figures, not the team's.
                scope: UsageScope::Member,
                ..totals.into()
            }))
        })
        .await
    }

    /// The member's inbox, newest first. [auth: OWN, or `MANAGE_SETTINGS`]
    #[allow(clippy::too_many_arguments, reason = "they are the contract's")]
    #[graphql(directive = of_viewer::apply())]
    async fn alerts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which alerts; all but archived ones when left out.")] filter: Option<AlertFilter>,
        #[graphql(
            desc = "How many to return from the start of the list, at most 100; 20 when neither first nor last is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Only items after this cursor of the same filter.")] after: Option<String>,
        #[graphql(desc = "How many to return from the end of the list, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor of the same filter.")] before: Option<String>,
    ) -> Nullable<AlertConnection> {
        let arguments = PageArguments::both((first, after), (last, before));
        let of = (self.0.account_id, Some(self.0.id));
        visible(async { inbox(ctx, of, filter, arguments).await.map(Some) }).await
    }

    /// The number of alerts in the member's inbox that are neither read nor archived. [auth: OWN, or `MANAGE_SETTINGS`]
    #[graphql(directive = of_viewer::apply())]
    async fn unread_alert_count(&self, ctx: &Context<'_>) -> Nullable<i32> {
        let count = async {
            unread_count(scope(ctx)?, self.0.account_id, Some(self.0.id))
                .await
                .map(Some)
        };
        visible(count).await
    }

    /// The deliveries of the member's alerts, newest first. [auth: OWN, or `MANAGE_SETTINGS`]
    #[graphql(directive = of_viewer::apply())]
    async fn deliveries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which deliveries; all when left out.")] filter: Option<DeliveryFilter>,
        #[graphql(desc = "How many to return, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor of the same filter.")] after: Option<String>,
    ) -> Nullable<DeliveryConnection> {
        let of = DeliveriesOf::Recipient(self.0.id.into());
        let page = async {
            let page = deliveries(scope(ctx)?, self.0.account_id, of, filter, (first, after));
            page.await.map(Some)
        };
        visible(page).await
    }

    /// The team's account.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account, ApiError> {
        Account::load(ctx, self.0.account_id).await
    }

    /// When the member was removed from the team. Null for current members.
    async fn removed_at(&self) -> Option<Timestamp> {
        self.0.removed_at
    }

    /// Increases with every change of the member; for expectedVersion.
    async fn version(&self) -> i32 {
        self.0.version
    }
}

connection! {
    /// A page of members.
    MemberConnection, MemberEdge of Member
}

#[derive(Clone, Debug)]
pub(crate) struct Contact(member::Contact);

impl Contact {
    pub(in crate::graphql) fn new(contact: member::Contact) -> Self {
        Self(contact)
    }
}

/// The contact of a member.
#[Object]
impl Contact {
    /// Opaque id, for `node`.
    pub(in crate::graphql) async fn id(&self) -> ID {
        let member_id = self.0.recipient.uuid();
        public_id(GlobalId::new(IdKind::Contact, self.0.account_id, member_id))
    }

    /// The member of the contact.
    async fn member(&self, ctx: &Context<'_>) -> Result<Member, ApiError> {
        let member_id = must_exist(self.0.recipient.member(), "member")?;
        existing(ctx, self.0.account_id, member_id).await
    }

    /// The e-mail address.
    async fn email(&self) -> Option<&str> {
        self.0.email.as_deref()
    }

    /// Whether mail can be sent to the address.
    async fn email_status(&self) -> ContactStatus {
        self.0.email_status.into()
    }

    /// Who of the platform vouched for the address. Null when the member confirmed it with a code, or when it is not verified.
    async fn vouched_by(&self) -> Option<Actor> {
        let vouched = self.0.vouched?;
        Some(Actor::new(self.0.account_id, vouched.by))
    }

    /// When the platform vouched for the address. Null when it did not.
    async fn vouched_at(&self) -> Option<Timestamp> {
        self.0.vouched.map(|vouched| vouched.at)
    }

    /// Why mail bounces: human-readable, in the viewer's language. Null unless it bounces.
    #[graphql(directive = in_language::apply())]
    async fn bounce_message(&self, ctx: &Context<'_>) -> Nullable<String> {
        nullable(async {
            let Some(noted) = self.0.bounce_message.as_deref() else {
                return Ok(None);
            };
            let words = MailFailure::of_contact(noted).in_words();
            scope(ctx)?.in_words(words).await.map(Some)
        })
        .await
    }

    /// The language of messages, e.g. en or de.
    async fn locale(&self) -> &str {
        &self.0.locale
    }

    /// The time zone of times in messages.
    async fn timezone(&self) -> TimeZone {
        TimeZone(self.0.timezone)
    }

    /// Increases with every change of the contact; for expectedVersion.
    async fn version(&self) -> i32 {
        self.0.version
    }
}
