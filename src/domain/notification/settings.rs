//! Reads and changes the notification settings of members.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::domain::database::{Database, Transaction};
use crate::domain::fault::{Fault, InvalidInput, QueryError, Refused, UseCaseError};
use crate::domain::ledger::{Ledger, LockedAccount};
use crate::domain::member::{self, Change, Member, require_own_or_settings};
use crate::primitives::actor::{AccessError, Actor, Permission};
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, MemberId, RecipientId};

use super::addresses;
use super::error::{UpdateManyError, UpdateSettingsRefusal};
use super::model::{
    AlertKind, Audience, Channel, DefaultsPatch, NotificationDefaults, NotificationSettings, SettingsPatch, Wish,
    first_locked,
};
use super::store;

/// Maximum number of members whose settings one call changes.
pub const MOST_MEMBERS: usize = 100;

/// Use cases about members' settings.
///
/// A change locks the account's state row. The worker that raises alerts holds the same lock, so it sees a whole change or none of it.
#[derive(Clone, Debug)]
pub struct Settings {
    database: Database,
    ledger: Ledger,
}

impl Settings {
    /// Use cases for the members of this database.
    pub fn new(database: Database, ledger: Ledger) -> Self {
        Self { database, ledger }
    }

    /// Returns the settings of several members. Those that the actor may not see are left out.
    pub async fn of_members(
        &self,
        actor: &Actor,
        account_id: AccountId,
        member_ids: &[MemberId],
    ) -> Result<HashMap<MemberId, NotificationSettings>, QueryError> {
        let is_seen = |member_id: &&MemberId| require_own_or_settings(actor, account_id, **member_id).is_ok();
        let seen: Vec<MemberId> = member_ids.iter().filter(is_seen).copied().collect();
        let mut settings = store::settings(self.database.read(), seen.iter().map(|id| (account_id, *id))).await?;
        for member_id in seen {
            let unstored = || NotificationSettings::new(account_id, member_id);
            settings.entry(member_id).or_insert_with(unstored);
        }
        Ok(settings)
    }

    /// Applies one change to the settings of up to [`MOST_MEMBERS`] members: to all or to none. Returns their settings in that order.
    pub async fn update(
        &self,
        actor: &Actor,
        account_id: AccountId,
        member_ids: Vec<MemberId>,
        patch: SettingsPatch,
    ) -> Result<Vec<NotificationSettings>, UpdateManyError> {
        for (at, member_id) in member_ids.iter().enumerate() {
            require_own_or_settings(actor, account_id, *member_id).map_err(|error| of_member(at, error.into()))?;
        }
        check(&patch)?;
        let work = Arc::new((actor.clone(), member_ids, patch));
        self.ledger
            .change(account_id, move |tx, locked| {
                let work = Arc::clone(&work);
                Box::pin(async move {
                    let (actor, member_ids, patch) = work.as_ref();
                    let members = member::locked_members(tx, account_id, member_ids).await?;
                    let mut stored = store::settings(tx, member_ids.iter().map(|id| (account_id, *id))).await?;
                    let mut changed = Vec::with_capacity(member_ids.len());
                    for (at, member_id) in member_ids.iter().enumerate() {
                        let member = members.get(member_id);
                        let unstored = || NotificationSettings::new(account_id, *member_id);
                        let before = stored.remove(member_id).unwrap_or_else(unstored);
                        let settings = update_locked(tx, locked, (actor, member), (before, patch)).await;
                        changed.push(settings.map_err(|error| of_member(at, error))?);
                    }
                    Ok(changed)
                })
            })
            .await
    }

    /// Returns the defaults for members of an account who have not chosen otherwise.
    pub async fn defaults(&self, actor: &Actor, account_id: AccountId) -> Result<NotificationDefaults, QueryError> {
        actor.require(account_id, Permission::ManageSettings)?;
        Ok(store::defaults_of(self.database.read(), account_id).await?)
    }

    /// Changes the defaults for members of an account who have not chosen otherwise. For kinds that only owners get, it requires an
    /// owner or the platform.
    pub async fn update_defaults(
        &self,
        actor: &Actor,
        account_id: AccountId,
        patch: DefaultsPatch,
    ) -> Result<NotificationDefaults, UseCaseError<UpdateSettingsRefusal>> {
        actor.require(account_id, Permission::ManageSettings)?;
        check_wishes(&patch.preferences)?;
        let is_of_owners = |(kind, channel, _): &Wish| kind.rule().audience(*channel) == Audience::Owners;
        if patch.preferences.iter().any(is_of_owners) && !member::may_change_owners(actor) {
            return Err(AccessError::OwnersOnly.into());
        }
        let patch = Arc::new(patch);
        self.ledger
            .change(account_id, move |tx, locked| {
                let patch = Arc::clone(&patch);
                Box::pin(async move {
                    let before = store::defaults_of(tx, account_id).await?;
                    if patch.expected_version.is_some_and(|version| version != before.version) {
                        return Err(Refused(UpdateSettingsRefusal::DefaultsConflict(Box::new(before))));
                    }
                    let after = before.clone().patched(&patch);
                    if after != before {
                        store::save_defaults(tx, &after).await?;
                        locked.append_account_updated(tx).await?;
                    }
                    Ok(after)
                })
            })
            .await
    }
}

fn of_member(at: usize, error: UseCaseError<UpdateSettingsRefusal>) -> UpdateManyError {
    UpdateManyError { at: Some(at), error }
}

async fn update_locked(
    tx: &Transaction,
    locked: &mut LockedAccount,
    (actor, member): (&Actor, Option<&Member>),
    (before, patch): (NotificationSettings, &SettingsPatch),
) -> Result<NotificationSettings, UseCaseError<UpdateSettingsRefusal>> {
    let member = member.ok_or(Refused(UpdateSettingsRefusal::NotFound))?;
    member::require_over(actor, member)?;
    if patch.expected_version.is_some_and(|version| version != before.version) {
        return Err(Refused(UpdateSettingsRefusal::VersionConflict(Box::new(before))));
    }
    if member.removed_at.is_some() {
        return Err(Refused(UpdateSettingsRefusal::MemberRemoved));
    }
    Ok(save_patched(tx, locked, before, patch).await?)
}

/// Switches off all mail to a recipient that can be switched off. Appends an event if that changes anything.
pub(super) async fn switch_mail_off(
    tx: &Transaction,
    locked: &mut LockedAccount,
    recipient: RecipientId,
) -> Result<(), Fault> {
    switch_kinds_off(tx, locked, recipient, &AlertKind::ALL.iter().copied().collect()).await
}

/// Switches off mail of these kinds to a recipient, where it can be switched off. Appends an event if that changes anything.
pub(super) async fn switch_kinds_off(
    tx: &Transaction,
    locked: &mut LockedAccount,
    recipient: RecipientId,
    kinds: &BTreeSet<AlertKind>,
) -> Result<(), Fault> {
    match recipient {
        RecipientId::Member(member_id) => {
            let before = settings_of(tx, locked.header.account_id, member_id).await?;
            let patch = SettingsPatch::without_mail(kinds.iter().copied());
            save_patched(tx, locked, before, &patch).await?;
            Ok(())
        }
        RecipientId::Address(id) => addresses::refuse_kinds(tx, locked, id, kinds).await,
    }
}

async fn settings_of(
    tx: &Transaction,
    account_id: AccountId,
    member_id: MemberId,
) -> Result<NotificationSettings, Fault> {
    let stored = store::settings(tx, [(account_id, member_id)]).await?.remove(&member_id);
    Ok(stored.unwrap_or_else(|| NotificationSettings::new(account_id, member_id)))
}

async fn save_patched(
    tx: &Transaction,
    locked: &mut LockedAccount,
    before: NotificationSettings,
    patch: &SettingsPatch,
) -> Result<NotificationSettings, Fault> {
    let after = before.clone().patched(patch);
    if after != before {
        store::save_settings(tx, &after, locked.now).await?;
        if after.quiet_hours != before.quiet_hours {
            store::release_mail(tx, after.account_id, after.member_id, locked.now).await?;
        }
        member::announce_details(tx, locked, after.member_id).await?;
    }
    Ok(after)
}

/// Checks what is invalid in every state.
fn check(patch: &SettingsPatch) -> Result<(), UseCaseError<UpdateSettingsRefusal>> {
    if let Change::Set(threshold) = patch.low_balance_threshold
        && (threshold.is_negative() || threshold > Credits::MAX)
    {
        return Err(addresses::invalid_threshold().into());
    }
    if let Change::Set(hours) = patch.quiet_hours
        && hours.start == hours.end
    {
        let message = "must end at another time than they begin; null switches them off";
        return Err(InvalidInput::new("quietHours", message).into());
    }
    check_wishes(&patch.preferences)
}

fn check_wishes(wishes: &[Wish]) -> Result<(), UseCaseError<UpdateSettingsRefusal>> {
    let most = AlertKind::ALL.len() * Channel::ALL.len();
    if wishes.len() > most {
        return Err(InvalidInput::new("preferences", "there are more items than preferences").into());
    }
    let mut named = HashSet::new();
    if !wishes.iter().all(|(kind, channel, _)| named.insert((*kind, *channel))) {
        let message = "each pair of a kind and a channel may appear only once";
        return Err(InvalidInput::new("preferences", message).into());
    }
    match first_locked(wishes) {
        Some((at, kind, channel)) => Err(Refused(UpdateSettingsRefusal::Locked { at, kind, channel })),
        None => Ok(()),
    }
}
