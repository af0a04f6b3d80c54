//! Accounts, members, contacts and API keys, and the rules about them.

mod rights;

use chrono_tz::Tz;
use serde::Serialize;

use crate::primitives::actor::{Actor, Cause, MemberRole, Permissions, Side};
pub use crate::primitives::change::Change;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, ApiKeyId, MemberId, RecipientId};
use crate::primitives::money::{CreditPrice, Currency};
#[cfg(feature = "sea-orm")]
use crate::primitives::record::{Fields, FromRow, Kind, Record, TryGetError, Value, unreadable};
use crate::primitives::timestamp::{HOUR, Timestamp};
#[cfg(feature = "sea-orm")]
use std::borrow::Cow;

pub use rights::{
    beyond_own, may_change_owners, may_vouch, require_directory, require_over, require_over_role,
    require_own_or_settings, require_to_reach,
};

/// Hours after its end that an unresolved session keeps its hold, unless the account has another value.
pub const DEFAULT_SESSION_GRACE_HOURS: i32 = 72;
/// The most such hours: thirty days.
pub const MAX_SESSION_GRACE_HOURS: i32 = 720;
/// Keys of one account that are neither revoked nor expired. The list has no pages, so it needs a bound.
pub const MAX_ACTIVE_API_KEYS: usize = 100;

const DEFAULT_LOCALE: &str = "en";

/// This installation of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Installation {
    /// Created with the database. Live cursors contain it, so that those of another database are detected.
    pub epoch: uuid::Uuid,
}

/// The prepaid account of a team, without its figures, which belong to the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The number of the account.
    pub id: AccountId,
    /// The platform's own id, unique among all accounts.
    pub external_id: Option<String>,
    /// Human-readable name.
    pub name: String,
    /// The time zone of the account's days and months.
    pub timezone: Tz,
    /// The currency of prices and payments. Never changes.
    pub currency: Currency,
    /// The price of one credit.
    pub credit_price: CreditPrice,
    /// Hours after its end that an unresolved session keeps its hold.
    pub session_grace_hours: i32,
    /// Grows by one with every change of the fields above.
    pub version: i32,
    /// The time of creation.
    pub created_at: Timestamp,
}

/// The input of a new account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAccount {
    /// The platform's own id.
    pub external_id: Option<String>,
    /// Human-readable name.
    pub name: String,
    /// The price of one credit.
    pub credit_price: CreditPrice,
    /// The currency of prices and payments.
    pub currency: Currency,
    /// The time zone of the account's days and months.
    pub timezone: Tz,
    /// Its first member, an owner whatever role is given.
    pub owner: Option<NewMember>,
}

/// A change of an account: a field that is `None` stays unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountPatch {
    /// The change is refused when the account has another version.
    pub expected_version: Option<i32>,
    /// The platform's own id.
    pub external_id: Option<String>,
    /// From 0 to [`MAX_SESSION_GRACE_HOURS`]; existing holds keep theirs.
    pub session_grace_hours: Option<i32>,
    /// Human-readable name.
    pub name: Option<String>,
    /// The time zone of the account's days and months.
    pub timezone: Option<Tz>,
    /// The price of one credit from now on.
    pub credit_price: Option<CreditPrice>,
}

impl Account {
    /// Returns this account with the patch applied, and with the same version.
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

/// The order of a list of accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum AccountOrder {
    /// In the order in which they were created.
    #[default]
    OldestFirst,
    /// The account that was created last comes first.
    NewestFirst,
    /// The account with the fewest available credits comes first; equal ones in the order in which they were created.
    LowestAvailableFirst,
}

/// The position of an account in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountPosition {
    /// The available credits where the list is ordered by them; zero otherwise.
    pub available: Credits,
    /// The account.
    pub id: AccountId,
}

/// A person of a team.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "sea-orm", derive(Record, FromRow))]
pub struct Member {
    /// The member's id within the account.
    pub id: MemberId,
    /// The account of the team.
    pub account_id: AccountId,
    /// The platform's own id, unique among the account's members, removed ones included.
    pub external_id: Option<String>,
    /// Human-readable name.
    pub name: String,
    /// Decides the member's permissions.
    pub role: MemberRole,
    /// The time of the removal. Sessions and entries of the member stay.
    pub removed_at: Option<Timestamp>,
    /// The time of the return after a removal.
    pub returned_at: Option<Timestamp>,
    /// Grows by one with every change of the fields above.
    pub version: i32,
    /// The time when they were first added.
    pub created_at: Timestamp,
}

impl Member {
    /// Returns this member with the patch applied, and with the same version.
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

/// A position in a list of members, which is ordered by the time of adding.
pub type MemberPosition = (Timestamp, MemberId);

impl Member {
    /// The actor that signs in as this member.
    pub fn actor(&self) -> Actor {
        Actor::Member {
            account_id: self.account_id,
            member_id: self.id,
            role: self.role,
        }
    }

    /// The member's position in a list.
    pub fn position(&self) -> MemberPosition {
        (self.created_at, self.id)
    }
}

crate::text_enum! {
    /// How far an e-mail address is to be trusted.
    ContactStatus {
        /// There is no address.
        None = "NONE",
        /// It is not proven yet that mail reaches the member there.
        Unverified = "UNVERIFIED",
        /// A code that was sent there was entered, or the platform vouches for the address.
        Verified = "VERIFIED",
        /// Mail to it bounced.
        Bouncing = "BOUNCING",
    }
}

/// The platform's statement that an address belongs to its member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vouch {
    /// The actor who made the statement.
    pub by: Cause,
    /// The time of the statement.
    pub at: Timestamp,
}

/// The member of the cause is not stored: a vouch is a statement of the platform.
#[cfg(feature = "sea-orm")]
impl Record for Vouch {
    fn columns(add: &mut dyn FnMut(Cow<'static, str>, Kind)) {
        add("voucher_kind".into(), Kind::Text);
        add("voucher_key_id".into(), Kind::Uuid);
        add("vouched_at".into(), Kind::BigInt);
    }

    fn write(&self, add: &mut dyn FnMut(Value)) {
        let (kind, key, _) = self.by.columns();
        add(kind.into());
        add(key.into());
        add(self.at.into());
    }
}

#[cfg(feature = "sea-orm")]
impl FromRow for Vouch {
    fn read(fields: &mut Fields<'_>) -> Result<Self, TryGetError> {
        let kind: String = fields.next()?;
        let by = Cause::from_columns(&kind, fields.next()?, None).ok_or_else(|| unreadable(&kind))?;
        Ok(Self { by, at: fields.next()? })
    }
}

/// How a member or a notification address is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The account of the team.
    pub account_id: AccountId,
    /// The recipient that the contact belongs to.
    pub recipient: RecipientId,
    /// The address.
    pub email: Option<String>,
    /// The verification status of the address.
    pub email_status: ContactStatus,
    /// Who vouched for this address, if the platform did.
    pub vouched: Option<Vouch>,
    /// The mail system's reason for the last bounce.
    pub bounce_message: Option<String>,
    /// The language of mail, as a BCP 47 tag.
    pub locale: String,
    /// The time zone of times in mail and of quiet hours.
    pub timezone: Tz,
    /// Grows by one with every change of the fields above.
    pub version: i32,
}

impl Contact {
    /// Creates the contact of a new recipient, in the account's time zone.
    pub fn new(
        account_id: AccountId,
        recipient: impl Into<RecipientId>,
        (email, vouched, locale): (Option<String>, Option<Vouch>, Option<String>),
        timezone: Tz,
    ) -> Self {
        let contact = Self {
            account_id,
            recipient: recipient.into(),
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

    /// Returns this contact with its address verified by the platform's vouch. A verified or missing address stays as it is.
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

    /// Returns this contact in another language; unchanged if that is `None`.
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

    /// Returns this contact with another address, which is unverified. The same address keeps its status.
    #[must_use]
    pub fn with_email(self, email: Change<String>) -> Self {
        let email = email.apply(self.email.clone());
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
    /// Returns this contact with the patch applied, under the next version if that changes anything.
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

    /// Returns this contact with another status of its address, under the next version.
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

/// A change of a contact. A field that is `None` stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactPatch {
    /// The change is refused when the contact has another version.
    pub expected_version: Option<i32>,
    /// The e-mail address.
    pub email: Change<String>,
    /// Whether the platform vouches for the address in this change.
    pub email_verified: bool,
    /// The language of mail, as a BCP 47 tag.
    pub locale: Option<String>,
    /// The time zone of times in mail and of quiet hours.
    pub timezone: Option<Tz>,
}

fn status_of(email: Option<&str>) -> ContactStatus {
    email.map_or(ContactStatus::None, |_| ContactStatus::Unverified)
}

/// The input of a new member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMember {
    /// The platform's own id.
    pub external_id: Option<String>,
    /// Human-readable name.
    pub name: String,
    /// The e-mail address.
    pub email: Option<String>,
    /// Whether the platform vouches for that address.
    pub email_verified: bool,
    /// Decides the member's permissions.
    pub role: MemberRole,
    /// The language of mail to the member, as a BCP 47 tag; English when it is `None`.
    pub locale: Option<String>,
}

/// A member as the platform describes them: to be added, brought back or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpsertMember {
    /// The platform's own id.
    pub external_id: String,
    /// Human-readable name.
    pub name: String,
    /// The e-mail address.
    pub email: Change<String>,
    /// Whether the platform vouches for the address in this input.
    pub email_verified: bool,
    /// Decides the member's permissions. When `None`, a known member's role stays, and a new one is a plain
    /// member.
    pub role: Option<MemberRole>,
    /// The language of mail to the member. When `None`, a known member's language stays.
    pub locale: Option<String>,
}

/// A change of a member: a field that is `None` stays unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberPatch {
    /// The change is refused when the member has another version.
    pub expected_version: Option<i32>,
    /// The platform's own id.
    pub external_id: Option<String>,
    /// Human-readable name.
    pub name: Option<String>,
    /// Decides the member's permissions.
    pub role: Option<MemberRole>,
}

/// The name of an API key, for entries and sums that it caused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyName {
    /// See [`ApiKey::account_id`].
    pub account_id: AccountId,
    /// See [`ApiKey::name`].
    pub name: String,
}

/// A key with which an integration signs in, without its secret, which is not stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// The key's id within its account.
    pub id: ApiKeyId,
    /// The only account that it reaches, or [`AccountId::PLATFORM`] for all.
    pub account_id: AccountId,
    /// The side that it acts for.
    pub side: Side,
    /// The public part of the key's text.
    pub prefix: String,
    /// Human-readable name.
    pub name: String,
    /// The permissions of the key.
    pub permissions: Permissions,
    /// Who created it; `None` for keys that are older than this field.
    pub created_by: Option<Cause>,
    /// The time of creation.
    pub created_at: Timestamp,
    /// When it last signed in, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it is no longer accepted.
    pub expires_at: Option<Timestamp>,
    /// The time of the revocation.
    pub revoked_at: Option<Timestamp>,
}

impl ApiKey {
    /// Returns whether it would be accepted now.
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|expires_at| now < expires_at)
    }

    /// Returns whether an actor of this side may see the key. The team does not see the platform's keys. Keys for all accounts cannot
    /// be listed in each of them, so a list of the platform's other keys would be misleading.
    pub fn is_shown_to(&self, side: Side) -> bool {
        side == Side::Platform || self.side == Side::Team
    }

    /// The actor that signs in with it.
    pub fn actor(&self) -> Actor {
        Actor::ApiKey {
            account_id: self.account_id,
            api_key_id: self.id,
            side: self.side,
            permissions: self.permissions,
        }
    }
}

/// The input of a new API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewApiKey {
    /// The only account that it reaches, or [`AccountId::PLATFORM`] for all.
    pub account_id: AccountId,
    /// The side that it acts for; that of its creator when `None`. Only the platform creates keys of its
    /// side.
    pub side: Option<Side>,
    /// Human-readable name.
    pub name: String,
    /// The permissions of the key.
    pub permissions: Permissions,
    /// When it is no longer accepted.
    pub expires_at: Option<Timestamp>,
}

/// The owners of one account, for the rule that one must remain.
#[derive(Clone, Copy, Debug)]
pub struct Owners {
    /// How many there are.
    pub count: i64,
}

impl Owners {
    /// Returns whether `before` is the last owner and would no longer be one as `after`.
    pub fn loses_last(self, before: &Member, after: &Member) -> bool {
        let is_owner = |member: &Member| member.role == MemberRole::Owner && member.removed_at.is_none();
        is_owner(before) && !is_owner(after) && self.count <= 1
    }
}

/// Hours as kept with the account's figures.
pub fn grace_millis(hours: i32) -> i64 {
    i64::from(hours) * HOUR
}

/// Converts the stored milliseconds to hours.
pub fn grace_hours(millis: i64) -> i32 {
    i32::try_from(millis / HOUR).unwrap_or(MAX_SESSION_GRACE_HOURS)
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
}
