//! The members of teams.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crate::domain::database::{Database, Transaction};
use crate::domain::event::EventContent;
use crate::domain::fault::{Fault, InvalidInput, QueryError, Refused, UseCaseError};
use crate::domain::ledger::{Ledger, LockedAccount};
use crate::primitives::actor::{AccessError, Actor, Cause, MemberRole, Permission, Side};
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, IdMint, IdSeed, MemberId, RecipientId};
use crate::primitives::page::{Page, PageRequest};

use super::api_key_life::follow_maker;
use super::contacts::notify_old_address;
use super::error::{AddMemberRefusal, RemoveMemberRefusal, UpdateMemberRefusal, UpsertMemberRefusal};
use super::filter::MemberFilter;
use super::input::{check_vouch, checked_email, checked_external_id, checked_label, checked_locale, checked_member};
use super::model::{
    Change, Contact, Member, MemberPatch, MemberPosition, NewMember, Owners, UpsertMember, Vouch, may_change_owners,
    may_vouch, require_directory, require_over, require_own_or_settings,
};
use super::scan::Scan;
use super::store;

/// Use cases about members.
///
/// Each change locks the account's state row first and appends an event. So two concurrent changes cannot remove the last two
/// owners.
#[derive(Clone)]
pub struct Members {
    database: Database,
    ledger: Ledger,
}

/// The effect of a change, decided on the member's row under the lock.
struct Changed {
    member: Member,
    contact: Option<Contact>,
    /// Whether the change affects what the member may do or see, or how they sign in.
    changes_rights: bool,
}

/// A person to be added.
pub(super) struct Addition {
    new: NewMember,
    /// The actor who adds them.
    by: Cause,
    /// Set once, however often the transaction runs. By this id a later run detects what an earlier one has
    /// committed.
    id: OnceLock<MemberId>,
}

impl Addition {
    pub(super) fn new(new: NewMember, by: Cause) -> Self {
        Self {
            new,
            by,
            id: OnceLock::new(),
        }
    }
}

impl Members {
    /// Uses the members of all accounts of this database.
    pub fn new(database: Database, ledger: Ledger) -> Self {
        Self { database, ledger }
    }

    /// Adds a person to a team.
    pub async fn add(
        &self,
        actor: &Actor,
        account_id: AccountId,
        new: NewMember,
    ) -> Result<Member, UseCaseError<AddMemberRefusal>> {
        actor.require(account_id, Permission::ManageMembers)?;
        if new.external_id.is_some() && actor.side() != Side::Platform {
            return Err(Refused(AddMemberRefusal::ExternalIdOfPlatform));
        }
        if new.email_verified && !may_vouch(actor) {
            return Err(Refused(AddMemberRefusal::VouchingOfPlatform));
        }
        let new = checked_member(new, ["externalId", "name", "email", "emailVerified", "locale"])?;
        if new.role == MemberRole::Owner && !may_change_owners(actor) {
            return Err(AccessError::OwnersOnly.into());
        }
        let addition = Arc::new(Addition::new(new, actor.cause(None)));
        self.ledger
            .change(account_id, move |tx, locked| {
                let addition = Arc::clone(&addition);
                Box::pin(async move { add_locked(tx, locked, &addition).await })
            })
            .await
    }

    /// Adds a person by the platform's own id, brings them back, or changes them. Safe to repeat. For the platform only.
    pub async fn upsert(
        &self,
        actor: &Actor,
        account_id: AccountId,
        wanted: UpsertMember,
    ) -> Result<Member, UseCaseError<UpsertMemberRefusal>> {
        actor.require(account_id, Permission::ManageMembers)?;
        if actor.side() != Side::Platform {
            return Err(Refused(UpsertMemberRefusal::ExternalIdOfPlatform));
        }
        let work = Arc::new((checked_upsert(wanted)?, actor.cause(None)));
        self.ledger
            .change(account_id, move |tx, locked| {
                let work = Arc::clone(&work);
                Box::pin(async move { upsert_locked(tx, locked, &work.0, work.1).await })
            })
            .await
    }

    /// Changes a member's name, role or external id.
    pub async fn update(
        &self,
        actor: &Actor,
        account_id: AccountId,
        member_id: MemberId,
        patch: MemberPatch,
    ) -> Result<Member, UseCaseError<UpdateMemberRefusal>> {
        actor.require(account_id, Permission::ManageMembers)?;
        if patch.external_id.is_some() && actor.side() != Side::Platform {
            return Err(Refused(UpdateMemberRefusal::ExternalIdOfPlatform));
        }
        let patch = Arc::new(checked_patch(patch)?);
        let changes_owners = may_change_owners(actor);
        self.ledger
            .change(account_id, move |tx, locked| {
                let patch = Arc::clone(&patch);
                Box::pin(
                    async move { update_locked(tx, locked, (account_id, member_id), &patch, changes_owners).await },
                )
            })
            .await
    }

    /// Removes a person from the team: they no longer sign in and nothing is booked for them. Their sessions
    /// and entries stay.
    pub async fn remove(
        &self,
        actor: &Actor,
        account_id: AccountId,
        member_id: MemberId,
    ) -> Result<Member, UseCaseError<RemoveMemberRefusal>> {
        actor.require(account_id, Permission::ManageMembers)?;
        let changes_owners = may_change_owners(actor);
        self.ledger
            .change(account_id, move |tx, locked| {
                Box::pin(async move {
                    let before = store::member(tx, account_id, member_id)
                        .await?
                        .ok_or(Refused(RemoveMemberRefusal::NotFound))?;
                    if before.removed_at.is_some() {
                        return Ok(before);
                    }
                    let mut after = before.clone();
                    after.removed_at = Some(locked.now);
                    if before.role == MemberRole::Owner && !changes_owners {
                        return Err(AccessError::OwnersOnly.into());
                    }
                    if owners(tx, account_id).await?.loses_last(&before, &after) {
                        return Err(Refused(RemoveMemberRefusal::LastOwner));
                    }
                    Ok(updated(tx, locked, &before, after, None).await?)
                })
            })
            .await
    }

    /// Returns members in the order in which they were added. A plain member may not list the others.
    ///
    /// A page reads a bounded number of members, so it may be short and not the last. The list goes forward only:
    /// `backward` and `before` are ignored.
    pub async fn page(
        &self,
        actor: &Actor,
        account_id: AccountId,
        filter: &MemberFilter,
        request: PageRequest<MemberPosition>,
    ) -> Result<Page<Member, MemberPosition>, QueryError> {
        require_directory(actor, account_id)?;
        let among = filter.external_ids.values();
        let mut scan = Scan::new(&request);
        while let Some((after, limit)) = scan.next() {
            let rows = store::members_after(self.database.read(), account_id, after, among, limit).await?;
            scan.take(rows, Member::position, |member| {
                (filter.include_removed || member.removed_at.is_none())
                    && filter.roles.allows(&member.role)
                    && filter.search.parsed().matches(&member.name)
            });
        }
        Ok(scan.finish())
    }

    /// Returns a member by id; `None` when the caller may not see them. A plain member sees only itself.
    pub async fn find(
        &self,
        actor: &Actor,
        account_id: AccountId,
        member_id: MemberId,
    ) -> Result<Option<Member>, QueryError> {
        if !sees(actor, account_id, member_id) {
            return Ok(None);
        }
        Ok(store::member(self.database.read(), account_id, member_id).await?)
    }

    /// Returns a member by the platform's own id; `None` when the caller may not see them.
    pub async fn find_by_external_id(
        &self,
        actor: &Actor,
        account_id: AccountId,
        external_id: &str,
    ) -> Result<Option<Member>, QueryError> {
        if !actor.reaches(account_id) {
            return Ok(None);
        }
        let member = store::member_by_external_id(self.database.read(), account_id, external_id).await?;
        Ok(member.filter(|member| sees(actor, account_id, member.id)))
    }

    /// Returns several members by id, for any caller of their account: for names in rows that the caller may see.
    pub async fn find_by_ids(
        &self,
        actor: &Actor,
        account_id: AccountId,
        member_ids: &[MemberId],
    ) -> Result<HashMap<MemberId, Member>, QueryError> {
        if !actor.reaches(account_id) {
            return Ok(HashMap::new());
        }
        let members = store::members(self.database.read(), account_id, member_ids).await?;
        Ok(members.into_iter().map(|member| (member.id, member)).collect())
    }

    /// Returns how several members are reached. Members whom the caller may not see are left out: see
    /// [`require_own_or_settings`].
    pub async fn contacts(
        &self,
        actor: &Actor,
        account_id: AccountId,
        member_ids: &[MemberId],
    ) -> Result<HashMap<MemberId, Contact>, QueryError> {
        let seen: Vec<RecipientId> = member_ids
            .iter()
            .filter(|id| require_own_or_settings(actor, account_id, **id).is_ok())
            .map(|id| RecipientId::Member(*id))
            .collect();
        let contacts = store::contacts(self.database.read(), account_id, &seen).await?;
        Ok(contacts
            .into_iter()
            .filter_map(|contact| Some((contact.recipient.member()?, contact)))
            .collect())
    }
}

/// Returns a member as the transaction sees it, for modules above that change rows about members under the
/// account's lock.
pub(in crate::domain) async fn locked_member(
    tx: &Transaction,
    account_id: AccountId,
    member_id: MemberId,
) -> Result<Option<Member>, Fault> {
    store::member(tx, account_id, member_id).await
}

/// Members as [`locked_member`], by one statement whatever their number.
pub(in crate::domain) async fn locked_members(
    tx: &Transaction,
    account_id: AccountId,
    member_ids: &[MemberId],
) -> Result<HashMap<MemberId, Member>, Fault> {
    let members = store::members(tx, account_id, member_ids).await?;
    Ok(members.into_iter().map(|member| (member.id, member)).collect())
}

/// A member and their contact, as [`locked_member`].
pub(in crate::domain) async fn locked_person(
    tx: &Transaction,
    account_id: AccountId,
    member_id: MemberId,
) -> Result<Option<(Member, Contact)>, Fault> {
    let Some(member) = store::member(tx, account_id, member_id).await? else {
        return Ok(None);
    };
    Ok(Some((member, contact(tx, account_id, member_id).await?)))
}

/// A contact, and whose it is.
#[derive(Clone, Debug)]
pub(in crate::domain) struct Holder {
    /// The member, if it is one's.
    pub(in crate::domain) member: Option<Member>,
    /// How they are reached.
    pub(in crate::domain) contact: Contact,
}

impl Holder {
    /// The address, unless the member has left the team. A notification address that was removed has none.
    pub(in crate::domain) fn email(&self) -> Option<&str> {
        let has_left = self.member.as_ref().is_some_and(|member| member.removed_at.is_some());
        self.contact.email.as_deref().filter(|_| !has_left)
    }

    /// Refuses unless the actor may change how this holder is reached, as far as that depends on who they are.
    pub(super) fn require_over(&self, actor: &Actor) -> Result<(), AccessError> {
        self.member
            .as_ref()
            .map_or(Ok(()), |member| require_over(actor, member))
    }
}

/// A recipient's contact, as [`locked_member`].
pub(in crate::domain) async fn locked_holder(
    tx: &Transaction,
    account_id: AccountId,
    recipient: RecipientId,
) -> Result<Option<Holder>, Fault> {
    if let RecipientId::Member(member_id) = recipient {
        let person = locked_person(tx, account_id, member_id).await?;
        return Ok(person.map(|(member, contact)| Holder {
            member: Some(member),
            contact,
        }));
    }
    let contact = store::contacts(tx, account_id, &[recipient]).await?.pop();
    Ok(contact.map(|contact| Holder { member: None, contact }))
}

/// Appends an event that a member was changed, but not the member's rights.
pub(in crate::domain) async fn announce_details(
    tx: &Transaction,
    locked: &mut LockedAccount,
    member_id: MemberId,
) -> Result<(), Fault> {
    let content = EventContent::MemberUpdated {
        member_id,
        changes_rights: false,
    };
    locked.append(tx, content).await
}

/// Writes a changed contact under the account's lock, and appends an event.
pub(in crate::domain) async fn record_contact(
    tx: &Transaction,
    locked: &mut LockedAccount,
    contact: &Contact,
) -> Result<(), Fault> {
    store::save_contact(tx, contact, locked.now).await?;
    match contact.recipient {
        RecipientId::Member(member_id) => announce_details(tx, locked, member_id).await,
        RecipientId::Address(_) => locked.append_account_updated(tx).await,
    }
}

fn sees(actor: &Actor, account_id: AccountId, member_id: MemberId) -> bool {
    let is_self = actor.reaches(account_id) && actor.member_id() == Some(member_id);
    is_self || require_directory(actor, account_id).is_ok()
}

pub(super) async fn add_locked(
    tx: &Transaction,
    locked: &mut LockedAccount,
    addition: &Addition,
) -> Result<Member, UseCaseError<AddMemberRefusal>> {
    let (account_id, new) = (locked.header.account_id, &addition.new);
    let id = *addition.id.get_or_init(|| new_id(locked.now));
    if let Some(added) = store::member(tx, account_id, id).await? {
        return Ok(added);
    }
    if let Some(external_id) = &new.external_id
        && let Some(taken) = store::member_by_external_id(tx, account_id, external_id).await?
    {
        return Err(Refused(AddMemberRefusal::ExternalIdTaken(Box::new(taken))));
    }
    let changed = added(tx, (account_id, id), new, (addition.by, locked.now)).await?;
    store::insert_member(tx, &changed.member).await?;
    Ok(recorded(tx, locked, changed).await?)
}

async fn upsert_locked(
    tx: &Transaction,
    locked: &mut LockedAccount,
    wanted: &UpsertMember,
    by: Cause,
) -> Result<Member, UseCaseError<UpsertMemberRefusal>> {
    let account_id = locked.header.account_id;
    let Some(before) = store::member_by_external_id(tx, account_id, &wanted.external_id).await? else {
        let new = NewMember {
            external_id: Some(wanted.external_id.clone()),
            name: wanted.name.clone(),
            email: match &wanted.email {
                Change::Set(email) => Some(email.clone()),
                Change::Keep | Change::Clear => None,
            },
            email_verified: wanted.email_verified,
            role: wanted.role.unwrap_or(MemberRole::Member),
            locale: wanted.locale.clone(),
        };
        let changed = added(tx, (account_id, new_id(locked.now)), &new, (by, locked.now)).await?;
        store::insert_member(tx, &changed.member).await?;
        return Ok(recorded(tx, locked, changed).await?);
    };
    let mut after = before.clone();
    after.name.clone_from(&wanted.name);
    after.role = wanted.role.unwrap_or(before.role);
    if after.removed_at.take().is_some() {
        after.returned_at = Some(locked.now);
    }
    let contact_before = contact(tx, account_id, before.id).await?;
    let contact_after = contact_before.clone().with_email(wanted.email.clone());
    let vouched = wanted.email_verified.then_some(Vouch { by, at: locked.now });
    let contact_after = contact_after.vouched_for(vouched).with_locale(wanted.locale.as_deref());
    if (&after, &contact_after) == (&before, &contact_before) {
        return Ok(before);
    }
    if owners(tx, account_id).await?.loses_last(&before, &after) {
        return Err(Refused(UpsertMemberRefusal::LastOwner));
    }
    notify_old_address(tx, &contact_before, &contact_after, locked.now).await?;
    let contact = (contact_after != contact_before).then_some(contact_after);
    Ok(updated(tx, locked, &before, after, contact).await?)
}

async fn update_locked(
    tx: &Transaction,
    locked: &mut LockedAccount,
    (account_id, member_id): (AccountId, MemberId),
    patch: &MemberPatch,
    changes_owners: bool,
) -> Result<Member, UseCaseError<UpdateMemberRefusal>> {
    let before = store::member(tx, account_id, member_id)
        .await?
        .ok_or(Refused(UpdateMemberRefusal::NotFound))?;
    if patch.expected_version.is_some_and(|version| version != before.version) {
        return Err(Refused(UpdateMemberRefusal::VersionConflict(Box::new(before))));
    }
    let after = before.clone().patched(patch);
    if [before.role, after.role].contains(&MemberRole::Owner) && !changes_owners {
        return Err(AccessError::OwnersOnly.into());
    }
    if before.removed_at.is_some() {
        return Err(Refused(UpdateMemberRefusal::MemberRemoved));
    }
    if after == before {
        return Ok(before);
    }
    if after.external_id != before.external_id
        && let Some(external_id) = &after.external_id
        && store::member_by_external_id(tx, account_id, external_id)
            .await?
            .is_some()
    {
        return Err(Refused(UpdateMemberRefusal::ExternalIdTaken(Box::new(before))));
    }
    if owners(tx, account_id).await?.loses_last(&before, &after) {
        return Err(Refused(UpdateMemberRefusal::LastOwner));
    }
    Ok(updated(tx, locked, &before, after, None).await?)
}

async fn owners(tx: &Transaction, account_id: AccountId) -> Result<Owners, Fault> {
    Ok(Owners {
        count: store::count_owners(tx, account_id).await?,
    })
}

async fn contact(tx: &Transaction, account_id: AccountId, member_id: MemberId) -> Result<Contact, Fault> {
    store::contacts(tx, account_id, &[member_id.into()])
        .await?
        .pop()
        .ok_or_else(|| Fault::Internal("a member has no contact row".to_owned()))
}

fn new_id(now: Timestamp) -> MemberId {
    MemberId::from_uuid(IdMint::new(IdSeed::random(), now).next_uuid())
}

/// Returns a new member with a contact in the account's zone.
async fn added(
    tx: &Transaction,
    (account_id, id): (AccountId, MemberId),
    new: &NewMember,
    (by, now): (Cause, Timestamp),
) -> Result<Changed, Fault> {
    let account = store::account(tx, account_id)
        .await?
        .ok_or_else(|| Fault::Internal("an account has figures and no row".to_owned()))?;
    let member = Member {
        id,
        account_id,
        external_id: new.external_id.clone(),
        name: new.name.clone(),
        role: new.role,
        removed_at: None,
        returned_at: None,
        version: 1,
        created_at: now,
    };
    let vouched = new.email_verified.then_some(Vouch { by, at: now });
    let contact = Contact::new(
        account_id,
        member.id,
        (new.email.clone(), vouched, new.locale.clone()),
        account.timezone,
    );
    Ok(Changed {
        member,
        contact: Some(contact),
        changes_rights: true,
    })
}

/// Writes a changed member under the next version, and appends its event.
async fn updated(
    tx: &Transaction,
    locked: &mut LockedAccount,
    before: &Member,
    mut member: Member,
    contact: Option<Contact>,
) -> Result<Member, Fault> {
    let rights = |member: &Member| (member.role, member.removed_at, member.external_id.clone());
    let changes_rights = rights(before) != rights(&member);
    member.version = member.version.saturating_add(1);
    store::update_member(tx, &member).await?;
    follow_maker(tx, locked, &member).await?;
    let changed = Changed {
        member,
        contact,
        changes_rights,
    };
    recorded(tx, locked, changed).await
}

/// Writes the contact of a written member, and appends one event for both.
async fn recorded(tx: &Transaction, locked: &mut LockedAccount, changed: Changed) -> Result<Member, Fault> {
    if let Some(contact) = &changed.contact {
        store::save_contact(tx, contact, locked.now).await?;
    }
    let content = EventContent::MemberUpdated {
        member_id: changed.member.id,
        changes_rights: changed.changes_rights,
    };
    locked.append(tx, content).await?;
    Ok(changed.member)
}

fn checked_upsert(wanted: UpsertMember) -> Result<UpsertMember, InvalidInput> {
    let has_email = matches!(wanted.email, Change::Set(_));
    check_vouch("emailVerified", wanted.email_verified, has_email)?;
    Ok(UpsertMember {
        external_id: checked_external_id("externalId", &wanted.external_id)?,
        name: checked_label("name", &wanted.name)?,
        email: match wanted.email {
            Change::Set(email) => Change::Set(checked_email("email", &email)?),
            other => other,
        },
        email_verified: wanted.email_verified,
        role: wanted.role,
        locale: wanted.locale.map(|tag| checked_locale("locale", &tag)).transpose()?,
    })
}

fn checked_patch(patch: MemberPatch) -> Result<MemberPatch, InvalidInput> {
    Ok(MemberPatch {
        external_id: patch
            .external_id
            .map(|id| checked_external_id("externalId", &id))
            .transpose()?,
        name: patch.name.map(|name| checked_label("name", &name)).transpose()?,
        ..patch
    })
}
