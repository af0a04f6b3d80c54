//! The notification settings of a member.

use async_graphql::{ComplexObject, Context, Enum, ID, Object, SimpleObject};

use super::matrix::{NotificationRow, cells};
use crate::domain::notification::model;
use crate::graphql::by_id::existing;
use crate::graphql::context::{public_id, scope};
use crate::graphql::errors::ApiError;
use crate::graphql::member::Member;
use crate::graphql::viewer::in_language;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{GlobalId, IdKind};
use crate::primitives::local_time::LocalTime;

/// The kinds of alerts.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::AlertKind")]
pub(crate) enum AlertKind {
    /// Available fell to or below the member's threshold. Sent to admins.
    LowBalance,
    /// Available fell to 0 or below. Sent to admins, and to all members in the app.
    BalanceDepleted,
    /// Enough credits are available again after one of the two before. Sent to admins.
    BalanceRecovered,
    /// A top-up was paid and credited. Sent to admins.
    TopUpSucceeded,
    /// A top-up was declined. Sent to admins.
    TopUpFailed,
    /// The bank requires the customer to authenticate. Sent to admins.
    TopUpActionRequired,
    /// Money of a top-up was refunded, or its payment is disputed at the bank: one alert for each fact. Sent to admins.
    TopUpReversed,
    /// Auto top-up paused itself. Sent to admins.
    AutoTopUpPaused,
    /// Auto top-up would exceed its spending limit. Sent to admins.
    CapReached,
    /// Credits expire in a week, or tomorrow. Sent to admins.
    CreditsExpiring,
    /// The default card expires in a month. Sent to admins.
    CardExpiring,
    /// Credits were deducted for a session. Sent to its member.
    SessionCharged,
    /// Credits for a session were refunded. Sent to its member.
    SessionRefunded,
    /// A session was not resolved, and its hold was released. Sent to admins.
    SessionUnresolved,
    /// The account was frozen. Sent to admins, and to all members in the app.
    AccountFrozen,
    /// The account is active again. Sent to admins, and to all members in the app.
    AccountUnfrozen,
    /// Mail to a member bounces. Sent to that member and to admins, in the app.
    ContactBouncing,
    /// An API key of the team was created or revoked. Sent to owners.
    ApiKeyChanged,
    /// A webhook endpoint answered 410 or failed for five days, and was disabled. Sent to admins.
    WebhookEndpointDisabled,
    /// A person tested whether alerts arrive.
    Test,
}

/// The channel by which an alert reaches a member.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::Channel")]
pub(crate) enum NotificationChannel {
    /// E-mail to the member's contact.
    Email,
    /// The member's inbox in the app, and its live stream.
    InApp,
}

/// Decides whether a kind of alert reaches a member by a channel.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::PreferenceSource")]
pub(crate) enum PreferenceSource {
    /// The platform's default, also for what cannot be switched off.
    Platform,
    /// The account's default: see `Account.notificationDefaults`.
    Account,
    /// The member's own choice.
    Member,
}

/// Which alerts reach a member, by which channel.
#[derive(Clone, Debug)]
pub(crate) struct NotificationSettings(model::NotificationSettings);

impl NotificationSettings {
    pub(in crate::graphql) const fn new(settings: model::NotificationSettings) -> Self {
        Self(settings)
    }
}

/// Which alerts reach a member, by which channel.
#[allow(clippy::unused_async, reason = "the library's resolvers are asynchronous")]
#[Object]
impl NotificationSettings {
    /// Opaque id, for `node`.
    pub(in crate::graphql) async fn id(&self) -> ID {
        let member_id = self.0.member_id.uuid();
        public_id(GlobalId::new(
            IdKind::NotificationSettings,
            self.0.account_id,
            member_id,
        ))
    }

    /// The member of the settings.
    async fn member(&self, ctx: &Context<'_>) -> Result<Member, ApiError> {
        existing(ctx, self.0.account_id, self.0.member_id).await
    }

    /// The settings as a table: a row for each kind, group by group, with a cell for each channel. Tests have no row, because they
    /// need no choice.
    async fn rows(&self) -> Vec<NotificationRow> {
        NotificationRow::all(|kind, channel| self.preference(kind, channel))
    }

    /// One for each kind and channel.
    async fn preferences(&self) -> Vec<NotificationPreference> {
        cells(|kind, channel| self.preference(kind, channel))
    }

    /// `LOW_BALANCE` is raised when available falls to or below this. Null follows the account's auto top-up trigger; without one
    /// there is no such alert.
    async fn low_balance_threshold(&self) -> Option<Credits> {
        self.0.low_balance_threshold
    }

    /// When e-mail that is not critical waits. Null when it never does.
    async fn quiet_hours(&self) -> Option<QuietHours> {
        self.0.quiet_hours.map(|hours| QuietHours {
            start: hours.start,
            end: hours.end,
        })
    }

    /// Increases with every change of the settings; for expectedVersion.
    async fn version(&self) -> i32 {
        self.0.version
    }
}

impl NotificationSettings {
    fn preference(&self, kind: model::AlertKind, channel: model::Channel) -> NotificationPreference {
        let is_default = !self.0.preferences.contains_key(&(kind, channel));
        NotificationPreference::new((kind, channel), self.0.resolved(kind, channel), is_default)
    }
}

/// Whether one kind of alert reaches the member by one channel. In defaults, it applies to members who have not chosen otherwise.
#[derive(SimpleObject, Clone, Debug)]
#[graphql(complex)]
pub(crate) struct NotificationPreference {
    /// The kind of alert.
    kind: AlertKind,
    /// The channel.
    channel: NotificationChannel,
    /// Whether the alerts reach the member.
    enabled: bool,
    /// It cannot be switched off: a critical alert keeps at least one working channel.
    locked: bool,
    /// The member has not chosen.
    is_default: bool,
    /// Who decides: the member, else the account, else the platform.
    source: PreferenceSource,
    #[graphql(skip)]
    words: (&'static str, &'static str),
}

impl NotificationPreference {
    pub(super) fn new(
        (kind, channel): (model::AlertKind, model::Channel),
        (enabled, source): model::Resolved,
        is_default: bool,
    ) -> Self {
        Self {
            kind: kind.into(),
            channel: channel.into(),
            enabled,
            locked: kind.is_locked(channel),
            is_default,
            source: source.into(),
            words: (kind.label(), channel.label()),
        }
    }
}

#[ComplexObject]
impl NotificationPreference {
    /// The label beside the switch, in the viewer's language.
    #[graphql(directive = in_language::apply())]
    async fn label(&self, ctx: &Context<'_>) -> Result<String, ApiError> {
        let scope = scope(ctx)?;
        let (kind, channel) = self.words;
        Ok(format!(
            "{} {}",
            scope.in_words(kind).await?,
            scope.in_words(channel).await?
        ))
    }
}

/// E-mail that is not critical waits until the end; in the member's time zone.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct QuietHours {
    /// Start of the quiet hours.
    start: LocalTime,
    /// End of the quiet hours; before `start` when they last over midnight.
    end: LocalTime,
}
