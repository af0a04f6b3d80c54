//! Addresses that receive alerts and belong to no member, for example that of an accounting department.
//!
//! Their readers may be outside the team. So such an address gets alerts about the account's credits and money, and none about its
//! members. It gets nothing before it is verified. It may refuse every kind, because its readers have no duty to read anything.

use std::collections::BTreeSet;

use chrono_tz::Tz;

use super::kind::{AlertKind, Channel};
use super::settings::{NotificationSettings, QuietHours};
use crate::member::{Change, Contact, ContactPatch, Vouch};
use crate::primitives::actor::Cause;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, NotificationAddressId};
use crate::primitives::timestamp::Timestamp;

/// The maximum number of notification addresses of an account.
pub const MOST_ADDRESSES: usize = 20;

/// The alerts that a notification address gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressWishes {
    /// The kinds of alerts.
    pub kinds: BTreeSet<AlertKind>,
    /// `LOW_BALANCE` is sent when available credits are at or below this; if `None`, at the trigger of auto
    /// top-up.
    pub low_balance_threshold: Option<Credits>,
}

/// An address that receives alerts and belongs to no member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotificationAddress {
    /// The id within the account.
    pub id: NotificationAddressId,
    /// The account that the address belongs to.
    pub account_id: AccountId,
    /// The team's name for the address.
    pub label: String,
    /// The address and its verification. Its version is the version of the whole object.
    pub contact: Contact,
    /// Since when the address and its verification are unchanged.
    pub contact_since: Timestamp,
    /// The alerts that it gets.
    pub wishes: AddressWishes,
    /// The cause that added it.
    pub created_by: Cause,
    /// The time at which it was added.
    pub created_at: Timestamp,
    /// When it was removed. From then on it gets nothing.
    pub removed_at: Option<Timestamp>,
}

/// A notification address to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAddress {
    /// The team's name for the address.
    pub label: String,
    /// The e-mail address.
    pub email: String,
    /// Whether the platform vouches for it.
    pub email_verified: bool,
    /// The alerts that it gets.
    pub wishes: AddressWishes,
    /// The language of mail, as a BCP 47 tag; English if `None`.
    pub locale: Option<String>,
    /// The time zone of times in mail; the account's if `None`.
    pub timezone: Option<Tz>,
}

/// A change of a notification address. A field that is `None` stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressPatch {
    /// The team's name for the address.
    pub label: Option<String>,
    /// The e-mail address, and the language and time zone of mail.
    pub contact: ContactPatch,
    /// The kinds of alerts that it gets.
    pub kinds: Option<BTreeSet<AlertKind>>,
    /// See [`AddressWishes::low_balance_threshold`].
    pub low_balance_threshold: Change<Credits>,
}

impl NotificationAddress {
    /// Returns this address with the patch applied, under the next version if that changes anything.
    #[must_use]
    pub fn patched(self, patch: &AddressPatch, vouched: Option<Vouch>) -> Self {
        let before = self.clone();
        let mut after = Self {
            contact: self.contact.patched(&patch.contact, vouched),
            ..self
        };
        after.label = patch.label.clone().unwrap_or(after.label);
        after.wishes.kinds = patch.kinds.clone().unwrap_or(after.wishes.kinds);
        after.wishes.low_balance_threshold = patch
            .low_balance_threshold
            .clone()
            .apply(after.wishes.low_balance_threshold);
        if after != before {
            after.contact.version = before.contact.version.saturating_add(1);
        }
        after
    }

    /// Returns this address without the kinds in `refused`.
    #[must_use]
    pub fn without(self, refused: &BTreeSet<AlertKind>) -> Self {
        let kinds = self.wishes.kinds.difference(refused).copied().collect();
        let patch = AddressPatch {
            kinds: Some(kinds),
            ..AddressPatch::nothing()
        };
        self.patched(&patch, None)
    }

    /// Returns this address as removed. It receives nothing, and its e-mail address is erased.
    #[must_use]
    pub fn removed(self, now: Timestamp) -> Self {
        let contact = self.contact.with_email(Change::Clear);
        Self {
            contact,
            removed_at: Some(now),
            ..self
        }
    }
}

impl AddressPatch {
    /// A patch that changes nothing.
    pub const fn nothing() -> Self {
        Self {
            label: None,
            contact: ContactPatch {
                expected_version: None,
                email: Change::Keep,
                email_verified: false,
                locale: None,
                timezone: None,
            },
            kinds: None,
            low_balance_threshold: Change::Keep,
        }
    }
}

/// What a recipient wants to receive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wishes {
    /// A member's settings, with defaults where a setting is absent.
    Member(NotificationSettings),
    /// The choices for an address that belongs to no member: e-mail only.
    Address(AddressWishes),
}

impl Wishes {
    /// Returns the explicit preference for a kind and a channel.
    pub fn preference(&self, kind: AlertKind, channel: Channel) -> Option<bool> {
        match self {
            Self::Member(settings) => settings.preference(kind, channel),
            Self::Address(wishes) => Some(channel == Channel::Email && wishes.kinds.contains(&kind)),
        }
    }

    /// Returns the hours in which mail that is not critical waits.
    pub const fn quiet_hours(&self) -> Option<QuietHours> {
        match self {
            Self::Member(settings) => settings.quiet_hours,
            Self::Address(_) => None,
        }
    }

    /// Returns the level of the low-balance alert: the recipient's own, otherwise the rule's.
    pub fn low_level(&self, trigger: Option<Credits>) -> Option<Credits> {
        match self {
            Self::Member(settings) => settings.low_balance_threshold.or(trigger),
            Self::Address(wishes) if wishes.kinds.contains(&AlertKind::LowBalance) => {
                wishes.low_balance_threshold.or(trigger)
            }
            Self::Address(_) => None,
        }
    }

    /// Returns whether the recipient itself has switched off mail of this kind.
    pub fn is_mail_off(&self, kind: AlertKind) -> bool {
        match self {
            // The account's default may change, and is not the member's choice.
            Self::Member(settings) => {
                settings.preferences.get(&(kind, Channel::Email)) == Some(&false) || !kind.is_optional(Channel::Email)
            }
            Self::Address(wishes) => !wishes.kinds.contains(&kind),
        }
    }
}
