//! Notification defaults of an account, for members who have not chosen otherwise.

use async_graphql::{Context, InputObject, Object};

use super::matrix::{NotificationRow, cells};
use super::settings::NotificationPreference;
use super::settings_mutation::NotificationPreferenceInput;
use crate::domain::notification::model;
use crate::graphql::context::Scope;
use crate::graphql::errors::ApiError;
use crate::graphql::id::Id;
use crate::graphql::member::Account;
use crate::graphql::payload::{mutations, payload};
use crate::graphql::refusals::Failure;
use crate::primitives::ids::AccountId;

/// The notification defaults of an account, for members who have not chosen otherwise.
#[derive(Clone, Debug)]
pub(crate) struct NotificationDefaults(model::NotificationDefaults);

impl NotificationDefaults {
    pub(in crate::graphql) const fn new(defaults: model::NotificationDefaults) -> Self {
        Self(defaults)
    }

    fn preference(&self, kind: model::AlertKind, channel: model::Channel) -> NotificationPreference {
        NotificationPreference::new((kind, channel), self.0.resolved(kind, channel), true)
    }
}

/// The notification defaults of an account, for members who have not chosen otherwise. Where the account has no default, that of the
/// platform applies.
#[allow(clippy::unused_async, reason = "the library's resolvers are asynchronous")]
#[Object]
impl NotificationDefaults {
    /// The account that they belong to.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account, ApiError> {
        Account::load(ctx, self.0.account_id).await
    }

    /// The defaults as a page shows them: a row for each kind, group by group, with a cell for each channel.
    async fn rows(&self) -> Vec<NotificationRow> {
        NotificationRow::all(|kind, channel| self.preference(kind, channel))
    }

    /// One for each kind and channel.
    async fn preferences(&self) -> Vec<NotificationPreference> {
        cells(|kind, channel| self.preference(kind, channel))
    }

    /// Increases with every change of the defaults; for expectedVersion.
    async fn version(&self) -> i32 {
        self.0.version
    }
}

/// Changes to the notification defaults of an account. Preferences that are not named do not change.
#[derive(InputObject, Debug)]
pub(crate) struct UpdateNotificationDefaultsInput {
    /// The account of the defaults. May be left out by a member, or by a key that belongs to one account.
    account_id: Option<Id<AccountId>>,
    /// Preferences that change, each kind and channel once. `enabled: null` returns to the platform's default.
    #[graphql(default)]
    preferences: Vec<NotificationPreferenceInput>,
    /// Refused as `VERSION_CONFLICT` when this is not the current version.
    expected_version: Option<i32>,
}

payload! {
    /// The result of updateNotificationDefaults.
    UpdateNotificationDefaultsPayload
    from model::NotificationDefaults => {
        /// The current defaults. Null when refused, except for `VERSION_CONFLICT`.
        async fn notification_defaults(&self) -> Option<NotificationDefaults> {
            self.0.current().cloned().map(NotificationDefaults::new)
        }
    }
}

async fn update(scope: &Scope, input: UpdateNotificationDefaultsInput) -> Result<model::NotificationDefaults, Failure> {
    let account_id = scope.account_for(input.account_id)?;
    let patch = model::DefaultsPatch {
        preferences: input.preferences.into_iter().map(Into::into).collect(),
        expected_version: input.expected_version,
    };
    let settings = &scope.services.notification_settings;
    Ok(settings.update_defaults(scope.actor(), account_id, patch).await?)
}

mutations! {
    /// Mutations of defaults.
    DefaultsMutation {
        /// Changes the notification defaults of an account, for members who have not chosen otherwise. Kinds that only owners get can be
        /// changed by an owner or the platform. [auth: `MANAGE_SETTINGS`]
        update_notification_defaults(UpdateNotificationDefaultsInput: "The changes.")
            -> UpdateNotificationDefaultsPayload = update;
    }
}
