//! Mutations of settings.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};

use super::member_for;
use super::settings::{AlertKind, NotificationChannel, NotificationSettings};
use crate::domain::member::Change;
use crate::domain::notification::model;
use crate::graphql::context::{Scope, scope};
use crate::graphql::errors::{ApiError, nullable};
use crate::graphql::payload::Outcome;
use crate::graphql::refusals::{Failure, Present, UserError};
use crate::primitives::credits::Credits;
use crate::primitives::local_time::LocalTime;

/// Whether one kind of alert reaches the member by one channel.
#[derive(InputObject, Debug)]
pub(crate) struct NotificationPreferenceInput {
    /// Which alerts.
    kind: AlertKind,
    /// By which way.
    channel: NotificationChannel,
    /// Whether they do. Null: the default again.
    enabled: Option<bool>,
}

/// When e-mail that is not critical waits, in the member's time zone.
#[derive(InputObject, Debug)]
pub(crate) struct QuietHoursInput {
    /// When they begin.
    start: LocalTime,
    /// When they are over; before `start` when they last over midnight.
    end: LocalTime,
}

/// Changes to what a member is told of. What is left out stays as it is, and so do preferences not named.
#[derive(InputObject, Debug)]
pub(crate) struct UpdateNotificationSettingsInput {
    /// Whose settings; the viewer's when left out.
    member_id: MaybeUndefined<ID>,
    /// Preferences that change, each kind and channel once.
    preferences: MaybeUndefined<Vec<NotificationPreferenceInput>>,
    /// `LOW_BALANCE` is raised when available falls to or below this. Null follows the account's auto top-up trigger.
    low_balance_threshold: MaybeUndefined<Credits>,
    /// When e-mail that is not critical waits. Null: never.
    quiet_hours: MaybeUndefined<QuietHoursInput>,
    /// Refused as `VERSION_CONFLICT` when this is not the newest version.
    expected_version: Option<i32>,
}

/// What updateNotificationSettings answers.
pub(crate) struct UpdateNotificationSettingsPayload(Outcome<model::NotificationSettings>);

/// What updateNotificationSettings answers.
#[allow(clippy::unused_async, reason = "the library's resolvers are asynchronous")]
#[Object]
impl UpdateNotificationSettingsPayload {
    /// The settings as they are now. Null when refused, but for `VERSION_CONFLICT`.
    async fn notification_settings(&self) -> Option<NotificationSettings> {
        match (&self.0.done, &self.0.present) {
            (Some(settings), _) => Some(NotificationSettings::new(settings.clone())),
            (None, Some(Present::Settings(settings))) => Some(NotificationSettings::new((**settings).clone())),
            (None, _) => None,
        }
    }

    /// Why nothing was changed. Empty when it was.
    pub(crate) async fn user_errors(&self) -> Vec<UserError> {
        self.0.errors.clone()
    }
}

/// A field of a patch that null clears.
pub(super) fn change<T, U>(value: MaybeUndefined<T>, map: impl FnOnce(T) -> U) -> Change<U> {
    match value {
        MaybeUndefined::Undefined => Change::Keep,
        MaybeUndefined::Null => Change::Clear,
        MaybeUndefined::Value(value) => Change::Set(map(value)),
    }
}

async fn update(scope: &Scope, input: UpdateNotificationSettingsInput) -> Result<model::NotificationSettings, Failure> {
    let (account_id, member_id) = member_for(scope, &input.member_id)?;
    let preferences = crate::graphql::inputs::patched("preferences", input.preferences)?.unwrap_or_default();
    let preference = |preference: NotificationPreferenceInput| {
        (preference.kind.into(), preference.channel.into(), preference.enabled)
    };
    let patch = model::SettingsPatch {
        preferences: preferences.into_iter().map(preference).collect(),
        low_balance_threshold: change(input.low_balance_threshold, |credits| credits),
        quiet_hours: change(input.quiet_hours, |hours| model::QuietHours {
            start: hours.start,
            end: hours.end,
        }),
        expected_version: input.expected_version,
    };
    let settings = &scope.services.notification_settings;
    Ok(settings.update(scope.actor(), account_id, member_id, patch).await?)
}

/// Mutations of settings.
#[derive(Default)]
pub(crate) struct SettingsMutation;

/// Mutations of settings.
#[Object]
impl SettingsMutation {
    /// Changes what a member is told of. [auth: OWN, or `MANAGE_SETTINGS`; for an owner only owners and the platform]
    async fn update_notification_settings(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What changes.")] input: UpdateNotificationSettingsInput,
    ) -> Option<Result<UpdateNotificationSettingsPayload, ApiError>> {
        nullable(async {
            let outcome = Outcome::settle(update(scope(ctx)?, input).await)?;
            Ok(Some(UpdateNotificationSettingsPayload(outcome)))
        })
        .await
    }
}
