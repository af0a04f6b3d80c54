//! Mutations of settings.

use async_graphql::{InputObject, MaybeUndefined};

use super::member_for;
use super::settings::{AlertKind, NotificationChannel, NotificationSettings};
use crate::domain::notification::{MOST_MEMBERS, UpdateManyError, model};
use crate::graphql::context::Scope;
use crate::graphql::id::Id;
use crate::graphql::inputs::{changed, patched};
use crate::graphql::payload::{mutations, payload};
use crate::graphql::refusals::{Failure, UserError};
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, MemberId};
use crate::primitives::local_time::LocalTime;

/// Whether one kind of alert reaches the member by one channel.
#[derive(InputObject, Debug)]
pub(crate) struct NotificationPreferenceInput {
    /// The kind of alert.
    kind: AlertKind,
    /// The channel.
    channel: NotificationChannel,
    /// Whether the alerts reach the member. Null restores the default.
    enabled: Option<bool>,
}

impl From<NotificationPreferenceInput> for model::Wish {
    fn from(input: NotificationPreferenceInput) -> Self {
        (input.kind.into(), input.channel.into(), input.enabled)
    }
}

/// When e-mail that is not critical waits, in the member's time zone.
#[derive(InputObject, Debug)]
pub(crate) struct QuietHoursInput {
    /// Start of the quiet hours.
    start: LocalTime,
    /// End of the quiet hours; before `start` when they last over midnight.
    end: LocalTime,
}

/// Changes to the notifications of a member. Fields that are left out, and preferences that are not named, do not change.
#[derive(InputObject, Debug)]
pub(crate) struct UpdateNotificationSettingsInput {
    /// The member; the viewer when left out.
    member_id: MaybeUndefined<Id<MemberId>>,
    /// 1 to 100 members of one account, in place of memberId. All of them change, or none.
    member_ids: Option<Vec<Id<MemberId>>>,
    /// Preferences that change, each kind and channel once.
    preferences: MaybeUndefined<Vec<NotificationPreferenceInput>>,
    /// `LOW_BALANCE` is raised when available falls to or below this. Null follows the account's auto top-up trigger.
    low_balance_threshold: MaybeUndefined<Credits>,
    /// When e-mail that is not critical waits. Null removes the quiet hours.
    quiet_hours: MaybeUndefined<QuietHoursInput>,
    /// Refused as `VERSION_CONFLICT` when this is not the current version.
    expected_version: Option<i32>,
}

payload! {
    /// The result of updateNotificationSettings.
    UpdateNotificationSettingsPayload
    from Vec<model::NotificationSettings> => {
        /// The current settings; of several members, the first's. Null when refused, except for `VERSION_CONFLICT`.
        async fn notification_settings(&self) -> Option<NotificationSettings> {
            let changed = self.0.done.as_ref().and_then(|settings| settings.first());
            changed.or_else(|| self.0.present()).cloned().map(NotificationSettings::new)
        }

        /// The current settings of all members that were named, in that order. Empty when refused.
        async fn all_notification_settings(&self) -> Vec<NotificationSettings> {
            let settings = self.0.done.iter().flatten().cloned();
            settings.map(NotificationSettings::new).collect()
        }
    }
}

/// The members that an input lists by id, all of one account.
fn members(scope: &Scope, ids: &[Id<MemberId>]) -> Result<(AccountId, Vec<MemberId>), Failure> {
    let mut found: Option<(AccountId, Vec<MemberId>)> = None;
    if ids.len() > MOST_MEMBERS {
        return Err(Failure::invalid("memberIds", format!("at most {MOST_MEMBERS} at once")));
    }
    for (at, id) in ids.iter().enumerate() {
        let field = format!("memberIds.{at}");
        let (account_id, member_id) = scope.object_at(&field, *id, None)?;
        let (of, members) = found.get_or_insert_with(|| (account_id, Vec::new()));
        if *of != account_id {
            return Err(Failure::not_found(&field, "member"));
        }
        members.push(member_id);
    }
    found.ok_or_else(|| Failure::invalid("memberIds", "must name a member"))
}

/// The members that an input is about, and whether it lists them by id.
fn whose(scope: &Scope, input: &UpdateNotificationSettingsInput) -> Result<(AccountId, Vec<MemberId>, bool), Failure> {
    let Some(ids) = &input.member_ids else {
        let (account_id, member_id) = member_for(scope, input.member_id)?;
        return Ok((account_id, vec![member_id], false));
    };
    if !input.member_id.is_undefined() {
        return Err(Failure::invalid("memberIds", "give memberId or memberIds, not both"));
    }
    if input.expected_version.is_some() {
        return Err(Failure::invalid(
            "expectedVersion",
            "is about one member: give memberId",
        ));
    }
    let (account_id, member_ids) = members(scope, ids)?;
    Ok((account_id, member_ids, true))
}

/// A refusal about one of several members contains its index.
fn refused(refused: UpdateManyError, is_list: bool) -> Failure {
    let at = refused.at.filter(|_| is_list);
    match (Failure::from(refused.error), at) {
        (Failure::Refused(error, present), Some(at)) => {
            let field = Some(vec!["memberIds".to_owned(), at.to_string()]);
            Failure::Refused(Box::new(UserError { field, ..*error }), present)
        }
        (failure, _) => failure,
    }
}

async fn update(
    scope: &Scope,
    input: UpdateNotificationSettingsInput,
) -> Result<Vec<model::NotificationSettings>, Failure> {
    let (account_id, member_ids, is_list) = whose(scope, &input)?;
    let preferences = patched("preferences", input.preferences)?.unwrap_or_default();
    let patch = model::SettingsPatch {
        preferences: preferences.into_iter().map(Into::into).collect(),
        low_balance_threshold: changed(input.low_balance_threshold),
        quiet_hours: changed(input.quiet_hours.map_value(|hours| model::QuietHours {
            start: hours.start,
            end: hours.end,
        })),
        expected_version: input.expected_version,
    };
    let settings = &scope.services.notification_settings;
    let updated = settings.update(scope.actor(), account_id, member_ids, patch).await;
    updated.map_err(|error| refused(error, is_list))
}

mutations! {
    /// Mutations of settings.
    SettingsMutation {
        /// Changes the notifications of a member, or of several members alike.
        /// [auth: OWN, or `MANAGE_SETTINGS`; for an owner only owners and the platform]
        update_notification_settings(UpdateNotificationSettingsInput: "The changes.")
            -> UpdateNotificationSettingsPayload = update;
    }
}
