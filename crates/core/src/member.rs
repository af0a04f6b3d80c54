//! Accounts, members, contacts and API keys: nouns and the rules about them.

use chrono_tz::Tz;

use crate::ledger::AccountStatus;
use crate::primitives::actor::{AccessError, Actor, Cause, MemberRole, Permission, Permissions, Side};
use crate::primitives::ids::{AccountId, ApiKeyId, MemberId};
use crate::primitives::money::{CreditPrice, Currency};
use crate::primitives::timestamp::Timestamp;

/// Hours after its end that an unresolved session keeps its hold, unless the account says otherwise.
pub const DEFAULT_SESSION_GRACE_HOURS: i32 = 72;
/// The most such hours: thirty days.
pub const MAX_SESSION_GRACE_HOURS: i32 = 720;
/// Keys of one account that are neither revoked nor expired. They are listed whole, so there is an end to them.
pub const MAX_ACTIVE_API_KEYS: usize = 100;

const MILLIS_PER_HOUR: i64 = 3_600_000;
const DEFAULT_LOCALE: &str = "en";

/// This installation of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Installation {
    /// Made with the database. Live cursors carry it, so that those of another database are told apart.
    pub epoch: uuid::Uuid,
}

/// The prepaid account of a team, but for its figures, which are the ledger's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its number.
    pub id: AccountId,
    /// The platform's own id, unique among all accounts.
    pub external_id: Option<String>,
    /// For people.
    pub name: String,
    /// Days and months of the account are this zone's.
    pub timezone: Tz,
    /// What its money is in. Never changes.
    pub currency: Currency,
    /// What one credit costs.
    pub credit_price: CreditPrice,
    /// Hours after its end that an unresolved session keeps its hold.
    pub session_grace_hours: i32,
    /// Grows by one with every change of the above.
    pub version: i32,
    /// When it was made.
    pub created_at: Timestamp,
}

/// An account to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAccount {
    /// The platform's own id.
    pub external_id: Option<String>,
    /// For people.
    pub name: String,
    /// What one credit costs.
    pub credit_price: CreditPrice,
    /// What its money is in.
    pub currency: Currency,
    /// Days and months of the account are this zone's.
    pub timezone: Tz,
    /// Its first member, an owner whatever role is named.
    pub owner: Option<NewMember>,
}

/// A change of an account: what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountPatch {
    /// Refused when the account has another version.
    pub expected_version: Option<i32>,
    /// The platform's own id.
    pub external_id: Option<String>,
    /// From 0 to [`MAX_SESSION_GRACE_HOURS`]; holds already booked keep theirs.
    pub session_grace_hours: Option<i32>,
    /// For people.
    pub name: Option<String>,
    /// Days and months of the account are this zone's.
    pub timezone: Option<Tz>,
    /// What one credit costs from now on.
    pub credit_price: Option<CreditPrice>,
}

impl Account {
    /// This account with the patch applied, but for its version.
    #[must_use]
    pub fn patched(self, patch: &AccountPatch) -> Self {
        Self {
            external_id: patch.external_id.clone().or(self.external_id),
            session_grace_hours: patch.session_grace_hours.unwrap_or(self.session_grace_hours),
            name: patch.name.clone().unwrap_or(self.name),
            timezone: patch.timezone.unwrap_or(self.timezone),
            credit_price: patch.credit_price.unwrap_or(self.credit_price),
            ..self
        }
    }
}

/// Which accounts to list. What is `None` does not matter; an empty list matches nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountFilter {
    /// Words, each the beginning of a word of the name, in capitals or not.
    pub search: Option<String>,
    /// What the account may do.
    pub status: Option<AccountStatus>,
    /// The platform's own ids.
    pub external_ids: Option<Vec<String>>,
}

/// A person of a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Their id.
    pub id: MemberId,
    /// The team.
    pub account_id: AccountId,
    /// The platform's own id, unique among the account's members, removed ones included.
    pub external_id: Option<String>,
    /// For people.
    pub name: String,
    /// Their standing.
    pub role: MemberRole,
    /// When they left the team. Their sessions and entries stay.
    pub removed_at: Option<Timestamp>,
    /// When they came back, if they had left.
    pub returned_at: Option<Timestamp>,
    /// Grows by one with every change of the above.
    pub version: i32,
    /// When they were added.
    pub created_at: Timestamp,
}

impl Member {
    /// This member with the patch applied, but for its version.
    #[must_use]
    pub fn patched(self, patch: &MemberPatch) -> Self {
        Self {
            external_id: patch.external_id.clone().or(self.external_id),
            name: patch.name.clone().unwrap_or(self.name),
            role: patch.role.unwrap_or(self.role),
            ..self
        }
    }
}

/// Where a list of members is: members are listed by when they were added.
pub type MemberPosition = (Timestamp, MemberId);

impl Member {
    /// Who signs in as this member.
    pub fn actor(&self) -> Actor {
        Actor::Member {
            account_id: self.account_id,
            member_id: self.id,
            role: self.role,
        }
    }

    /// Where this member stands in a list.
    pub fn position(&self) -> MemberPosition {
        (self.created_at, self.id)
    }
}

crate::text_enum! {
    /// How far a member's e-mail address is to be trusted.
    ContactStatus {
        /// There is no address.
        None = "NONE",
        /// Nobody has shown yet that mail arrives there.
        Unverified = "UNVERIFIED",
        /// A code that was sent there came back, or the platform vouches for it.
        Verified = "VERIFIED",
        /// Mail to it came back.
        Bouncing = "BOUNCING",
    }
}

/// That the platform knows an address to be its member's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vouch {
    /// Who said so.
    pub by: Cause,
    /// When.
    pub at: Timestamp,
}

/// How a member is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The team.
    pub account_id: AccountId,
    /// Whose contact it is.
    pub member_id: MemberId,
    /// The address.
    pub email: Option<String>,
    /// How far it is to be trusted.
    pub email_status: ContactStatus,
    /// Who vouched for this address, if the platform did.
    pub vouched: Option<Vouch>,
    /// What the mail system said when mail last came back.
    pub bounce_message: Option<String>,
    /// The language of mail, as a BCP 47 tag.
    pub locale: String,
    /// Times in mail, and quiet hours, are this zone's.
    pub timezone: Tz,
    /// Grows by one with every change of the above.
    pub version: i32,
}

impl Contact {
    /// The contact of a member who has just been added: in the account's zone until they say otherwise.
    pub fn new(
        account_id: AccountId,
        member_id: MemberId,
        (email, vouched, locale): (Option<String>, Option<Vouch>, Option<String>),
        timezone: Tz,
    ) -> Self {
        let contact = Self {
            account_id,
            member_id,
            email_status: status_of(email.as_deref()),
            email,
            vouched: None,
            bounce_message: None,
            locale: locale.unwrap_or_else(|| DEFAULT_LOCALE.to_owned()),
            timezone,
            version: 1,
        };
        Self {
            version: 1,
            ..contact.vouched_for(vouched)
        }
    }

    /// This contact with its address verified on the platform's word. One that is verified already, or that does not exist, stays as
    /// it is.
    #[must_use]
    pub fn vouched_for(self, vouched: Option<Vouch>) -> Self {
        let is_in_doubt = matches!(self.email_status, ContactStatus::Unverified | ContactStatus::Bouncing);
        if vouched.is_none() || !is_in_doubt {
            return self;
        }
        Self {
            vouched,
            ..self.with_status(ContactStatus::Verified, None)
        }
    }

    /// This contact in another language, unless that is not known.
    #[must_use]
    pub fn with_locale(self, locale: Option<&str>) -> Self {
        match locale {
            Some(locale) if locale != self.locale => Self {
                locale: locale.to_owned(),
                version: self.version + 1,
                ..self
            },
            _ => self,
        }
    }

    /// This contact with another address, which has yet to be verified; the same address keeps what is known of it.
    #[must_use]
    pub fn with_email(self, email: Change<String>) -> Self {
        let email = match email {
            Change::Keep => return self,
            Change::Clear => None,
            Change::Set(email) => Some(email),
        };
        if email == self.email {
            return self;
        }
        Self {
            email_status: status_of(email.as_deref()),
            email,
            vouched: None,
            bounce_message: None,
            version: self.version.saturating_add(1),
            ..self
        }
    }
}

impl Contact {
    /// This contact with the patch applied, under the next version if that changes anything.
    #[must_use]
    pub fn patched(self, patch: &ContactPatch, vouched: Option<Vouch>) -> Self {
        let before = self.clone();
        let mut after = self.with_email(patch.email.clone()).vouched_for(vouched);
        after.locale = patch.locale.clone().unwrap_or(after.locale);
        after.timezone = patch.timezone.unwrap_or(after.timezone);
        if after != before {
            after.version = before.version.saturating_add(1);
        }
        after
    }

    /// This contact with another standing of its address, under the next version.
    #[must_use]
    pub fn with_status(self, email_status: ContactStatus, bounce_message: Option<String>) -> Self {
        Self {
            email_status,
            bounce_message,
            version: self.version.saturating_add(1),
            ..self
        }
    }
}

/// A change of how a member is reached: what is `None` stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactPatch {
    /// Refused when the contact has another version.
    pub expected_version: Option<i32>,
    /// The address.
    pub email: Change<String>,
    /// Whether the platform vouches for the address that is given.
    pub email_verified: bool,
    /// The language of mail, as a BCP 47 tag.
    pub locale: Option<String>,
    /// Times in mail, and quiet hours, are this zone's.
    pub timezone: Option<Tz>,
}

fn status_of(email: Option<&str>) -> ContactStatus {
    email.map_or(ContactStatus::None, |_| ContactStatus::Unverified)
}

/// A member to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMember {
    /// The platform's own id.
    pub external_id: Option<String>,
    /// For people.
    pub name: String,
    /// Where mail goes.
    pub email: Option<String>,
    /// Whether the platform vouches for that address.
    pub email_verified: bool,
    /// Their standing.
    pub role: MemberRole,
    /// The language that they are written to in, as a BCP 47 tag; English when it is not known.
    pub locale: Option<String>,
}

/// A change of something that may be absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<T> {
    /// As it is.
    Keep,
    /// Absent from now on.
    Clear,
    /// This from now on.
    Set(T),
}

/// A member as the platform knows them: to be added, brought back or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpsertMember {
    /// The platform's own id.
    pub external_id: String,
    /// For people.
    pub name: String,
    /// Where mail goes.
    pub email: Change<String>,
    /// Whether the platform vouches for the address that is given.
    pub email_verified: bool,
    /// Their standing. When `None`, a known member's stays, and a new one is a plain member.
    pub role: Option<MemberRole>,
    /// The language that they are written to in. When `None`, a known member's stays.
    pub locale: Option<String>,
}

/// A change of a member: what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberPatch {
    /// Refused when the member has another version.
    pub expected_version: Option<i32>,
    /// The platform's own id.
    pub external_id: Option<String>,
    /// For people.
    pub name: Option<String>,
    /// Their standing.
    pub role: Option<MemberRole>,
}

/// Which members to list. What is `None` does not matter; an empty list matches nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberFilter {
    /// Words, each the beginning of a word of the name, in capitals or not.
    pub search: Option<String>,
    /// The platform's own ids.
    pub external_ids: Option<Vec<String>>,
    /// Their standing.
    pub roles: Option<Vec<MemberRole>>,
    /// Those who left the team too.
    pub include_removed: bool,
}

/// A key with which an integration signs in, but for its secret, which is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// The one account it is for, or [`AccountId::PLATFORM`] for all.
    pub account_id: AccountId,
    /// On whose behalf it acts.
    pub side: Side,
    /// The part of the key that may be shown.
    pub prefix: String,
    /// For people.
    pub name: String,
    /// What it may do.
    pub permissions: Permissions,
    /// Who made it; not known of keys that are older than this.
    pub created_by: Option<Cause>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last signed somebody in, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// From when on it no longer signs anybody in.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl ApiKey {
    /// Whether it would sign somebody in now.
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|expires_at| now < expires_at)
    }

    /// Whether it exists as far as an actor of this side is concerned. The team does not see the platform's keys: those for all
    /// accounts cannot be listed to each of them, so a list of the others would say less than it seems to.
    pub fn is_shown_to(&self, side: Side) -> bool {
        side == Side::Platform || self.side == Side::Team
    }

    /// Who signs in with it.
    pub fn actor(&self) -> Actor {
        Actor::ApiKey {
            account_id: self.account_id,
            api_key_id: self.id,
            side: self.side,
            permissions: self.permissions,
        }
    }
}

/// An API key to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewApiKey {
    /// The one account it is for, or [`AccountId::PLATFORM`] for all.
    pub account_id: AccountId,
    /// On whose behalf it acts; that of its maker when `None`. Only the platform makes keys of its side.
    pub side: Option<Side>,
    /// For people.
    pub name: String,
    /// What it may do.
    pub permissions: Permissions,
    /// From when on it no longer signs anybody in.
    pub expires_at: Option<Timestamp>,
}

/// Refuses unless the caller is of the platform and has `permission`.
pub fn require_platform(actor: &Actor, permission: Permission) -> Result<(), AccessError> {
    // The platform is no secret to those who do not belong to it, so this is never "not found".
    actor
        .require(AccountId::PLATFORM, permission)
        .map_err(|_| AccessError::Forbidden(permission))
}

/// Whether the caller may see all members of the account, beyond those named by what they may see anyway.
pub fn require_directory(actor: &Actor, account_id: AccountId) -> Result<(), AccessError> {
    actor
        .require(account_id, Permission::ManageMembers)
        .or_else(|_| actor.require(account_id, Permission::ReadCreditLog))
}

/// Refuses if the member is an owner and the actor is neither an owner nor of the platform.
pub fn require_over(actor: &Actor, member: &Member) -> Result<(), AccessError> {
    require_over_role(actor, member.role)
}

/// Refuses if this is the role of an owner and the actor is neither an owner nor of the platform.
pub fn require_over_role(actor: &Actor, role: MemberRole) -> Result<(), AccessError> {
    if role == MemberRole::Owner && !may_change_owners(actor) {
        return Err(AccessError::OwnersOnly);
    }
    Ok(())
}

/// Refuses unless the actor may see how this member is reached and what they are notified of: themselves, and `MANAGE_SETTINGS`. To
/// change it for an owner takes [`require_over`] besides.
pub fn require_own_or_settings(actor: &Actor, account_id: AccountId, member_id: MemberId) -> Result<(), AccessError> {
    if actor.reaches(account_id) && actor.member_id() == Some(member_id) {
        return Ok(());
    }
    actor.require(account_id, Permission::ManageSettings)
}

/// Refuses unless the actor may change how a member of this role is reached.
pub fn require_to_reach(
    actor: &Actor,
    account_id: AccountId,
    (member_id, role): (MemberId, MemberRole),
) -> Result<(), AccessError> {
    require_own_or_settings(actor, account_id, member_id)?;
    require_over_role(actor, role)
}

/// Whether the actor may add, change and remove owners: owners and the platform. A key of the team never may, whoever made it:
/// through it an admin could become owner.
pub fn may_change_owners(actor: &Actor) -> bool {
    match actor {
        Actor::Member { role, .. } => *role == MemberRole::Owner,
        Actor::ApiKey { .. } | Actor::System => actor.side() == Side::Platform,
    }
}

/// Whether the actor may vouch for addresses. A team never may: whose addresses it enters it says itself.
pub fn may_vouch(actor: &Actor) -> bool {
    actor.side() == Side::Platform
}

/// The first of `permissions` that this actor does not have, and cannot give to a key.
pub fn beyond_own(actor: &Actor, permissions: Permissions) -> Option<Permission> {
    let own = actor.permissions();
    permissions.iter().find(|permission| !own.has(*permission))
}

/// The members of one account who are owners now, as far as the last of them is concerned.
#[derive(Clone, Copy, Debug)]
pub struct Owners {
    /// How many there are.
    pub count: i64,
}

impl Owners {
    /// Whether `before` is the last owner and would no longer be one as `after`.
    pub fn loses_last(self, before: &Member, after: &Member) -> bool {
        let is_owner = |member: &Member| member.role == MemberRole::Owner && member.removed_at.is_none();
        is_owner(before) && !is_owner(after) && self.count <= 1
    }
}

/// Hours as kept with the account's figures.
pub fn grace_millis(hours: i32) -> i64 {
    i64::from(hours) * MILLIS_PER_HOUR
}

/// Hours from what is kept with the account's figures.
pub fn grace_hours(millis: i64) -> i32 {
    i32::try_from(millis / MILLIS_PER_HOUR).unwrap_or(MAX_SESSION_GRACE_HOURS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_address_is_unverified_and_the_same_one_keeps_its_standing() {
        let mut contact = Contact::new(
            AccountId::from_number(1),
            MemberId::from_uuid(uuid::Uuid::nil()),
            (Some("ada@example.com".to_owned()), None, None),
            Tz::UTC,
        );
        contact.email_status = ContactStatus::Verified;
        let same = contact.clone().with_email(Change::Set("ada@example.com".to_owned()));
        assert_eq!(same, contact);
        let other = contact.clone().with_email(Change::Set("bob@example.com".to_owned()));
        assert_eq!((other.email_status, other.version), (ContactStatus::Unverified, 2));
        let none = contact.with_email(Change::Clear);
        assert_eq!((none.email_status, none.email), (ContactStatus::None, None));
    }

    #[test]
    fn owners_are_changed_by_owners_and_the_platform_only() {
        let member = |role| Actor::Member {
            account_id: AccountId::from_number(1),
            member_id: MemberId::from_uuid(uuid::Uuid::nil()),
            role,
        };
        let key = |side| Actor::ApiKey {
            account_id: AccountId::from_number(1),
            api_key_id: ApiKeyId::from_uuid(uuid::Uuid::nil()),
            side,
            permissions: Permissions::all(),
        };
        let cases = [
            (member(MemberRole::Member), false),
            (member(MemberRole::Admin), false),
            (member(MemberRole::Owner), true),
            (key(Side::Team), false),
            (key(Side::Platform), true),
            (Actor::System, true),
        ];
        for (actor, expected) in cases {
            assert_eq!(may_change_owners(&actor), expected, "{actor:?}");
        }
    }
}
